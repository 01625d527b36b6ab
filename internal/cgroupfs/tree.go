// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// Options of a Tree.
type Options struct {
	// Way to hear of cgroups: hooks.Inotify, hooks.Poll, or hooks.Off for a tree that
	// only reads (see Learn).
	Way hooks.Way
	// Now is the clock of events (ns).
	Now func() uint64
	// Locate finds a cgroup's id and kernel address by its path from the hierarchy's
	// root; nil where nobody can.
	Locate func(path string) (id, pointer uint64, err error)
	// Changed is told when the tree has to go on by a lesser way, and why. May be nil.
	Changed func(way hooks.Way, why error)
	Log     *slog.Logger
}

// Tree is the cgroups of a hierarchy, as its folders show them. Its methods may be
// called from several goroutines.
type Tree struct {
	hierarchy Hierarchy
	options   Options
	watches   *watches // nil unless by inotify
	pace      pace
	wake      chan struct{} // asks the poller for a look at once
	overflows atomic.Uint64
	// keeps is of how many cgroups files are open, at most keepsMax.
	keeps    atomic.Int64
	keepsMax int64

	// telling orders what is told: who looks also tells before anybody else looks.
	telling sync.Mutex
	told    func(event.Event) // nil before Read and after it

	mu     sync.Mutex // guards what follows, and is never held while telling
	way    hooks.Way
	root   *node
	byID   map[uint64]*node
	nobody uint64 // the latest id of a cgroup that could not be looked at
	walked bool
	looked uint64        // when all was last read, by the clock of events
	queue  []event.Event // what is to be told
	// incomplete: something could not be read when all was last looked at, or since.
	incomplete bool
	// complained: that was said.
	complained bool
	space      [8192]byte // for the entries of a folder
}

// node is one cgroup.
type node struct {
	parent   *node
	path     string // from the hierarchy's root, "" for the root itself
	inode    uint64 // 0: gone before it was looked at
	id       uint64
	watch    int32 // -1: none
	files    openFiles
	children map[string]*node
}

// Open makes a tree. Walk has to be called before Read.
func Open(h Hierarchy, o Options) (*Tree, error) {
	t := &Tree{hierarchy: h, options: o, way: o.Way, byID: map[uint64]*node{}, wake: make(chan struct{}, 1), keepsMax: keepsMax()}
	var stat unix.Stat_t
	if err := unix.Stat(h.Root, &stat); err != nil {
		return nil, fmt.Errorf("open the cgroup file system %s: %w", h.Root, err)
	}
	t.root = &node{inode: stat.Ino, id: stat.Ino, watch: noWatch, children: map[string]*node{}}
	t.byID[t.root.id] = t.root
	if o.Way == hooks.Inotify {
		w, err := newWatches()
		if err != nil {
			t.fallBack(err)
			return t, nil
		}
		t.watches = w
	}
	return t, nil
}

// Close ends all watches and closes all files.
func (t *Tree) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.byID {
		n.files.end(t)
	}
	return t.watches.close()
}

// Way is how cgroups are heard of now.
func (t *Tree) Way() hooks.Way {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.way
}

// Overflows is how often the kernel's queue of what was watched was full. All
// cgroups were then read anew: what had come and gone meanwhile is not known.
func (t *Tree) Overflows() uint64 { return t.overflows.Load() }

// fallBack goes on by polling: inotify cannot be had (any more).
func (t *Tree) fallBack(why error) {
	_ = t.watches.close()
	t.watches, t.way = nil, hooks.Poll
	for _, n := range t.byID {
		n.watch = noWatch
	}
	if t.options.Changed != nil {
		t.options.Changed(hooks.Poll, why)
	}
}

// Walk tells every cgroup, parents first, and watches them from now on: what is
// made meanwhile is told by Read as an event. Where a folder cannot be read it tells
// the others, and fails with event.ErrIncomplete.
func (t *Tree) Walk(visit func(id, pointer uint64, path string)) error {
	all, whole, err := t.walk()
	if err != nil {
		return fmt.Errorf("walk the cgroup file system: %w", err)
	}
	for _, n := range all {
		visit(n.id, 0, n.name())
	}
	if !whole {
		return fmt.Errorf("walk the cgroup file system: %w", event.ErrIncomplete)
	}
	return nil
}

// walk begins to watch at its first call; later ones find what is known by then. A
// tree that is not watched looks each time, and one that could not read all.
func (t *Tree) walk() (all []*node, whole bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if unheard := !t.walked || t.way == hooks.Off; unheard || t.incomplete {
		if _, err := t.list(t.root); err != nil {
			return nil, false, err
		}
		t.watch(t.root)
		t.look()
		t.walked = true
		if unheard {
			t.queue = nil // they are told by the walk
		}
	}
	t.root.each(func(n *node) { all = append(all, n) })
	if t.way == hooks.Off && !t.incomplete {
		t.dropLearnt(all)
	}
	return all, !t.incomplete, nil
}

// dropLearnt drops what Learn entered and is not among all that there are: its end
// was not heard. They are compared by their folders, because before Linux 5.5 an
// inode's number is only the lower half of an id. The caller holds mu.
func (t *Tree) dropLearnt(all []*node) {
	there := make(map[string]uint64, len(all))
	for _, n := range all {
		there[n.path] = n.inode
	}
	for id, n := range t.byID {
		if inode, found := there[n.path]; !found || inode != n.inode {
			n.files.end(t)
			delete(t.byID, id)
		}
	}
}

// Read tells of cgroups that are made and removed until ctx is done.
func (t *Tree) Read(ctx context.Context, tell func(event.Event)) error {
	t.telling.Lock()
	t.told = tell
	t.telling.Unlock()
	defer func() {
		t.telling.Lock()
		t.told = nil
		t.telling.Unlock()
	}()
	for ctx.Err() == nil {
		var err error
		switch t.Way() {
		case hooks.Inotify:
			err = t.readWatches(ctx)
		case hooks.Poll:
			t.poll(ctx)
		default:
			<-ctx.Done()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Sync tells at once of what was made or removed before the given time: who hears
// of the same cgroups by another way calls it first, so that they are known.
func (t *Tree) Sync(before uint64) {
	t.telling.Lock()
	defer t.telling.Unlock()
	t.mu.Lock()
	switch {
	case !t.walked:
	case t.watches != nil:
		t.drain()
	case t.way == hooks.Poll && t.looked <= before:
		t.look()
	}
	t.mu.Unlock()
	t.flush()
}

// flush tells what is queued, once there is somebody to tell it to. The caller holds
// telling.
func (t *Tree) flush() {
	if t.told == nil {
		return
	}
	t.mu.Lock()
	queue := t.queue
	t.queue = nil
	t.mu.Unlock()
	for _, e := range queue {
		t.told(e)
	}
}

// Learn enters a cgroup that was heard of by another way: ReadGroup then knows it.
func (t *Tree) Learn(id uint64, path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if path == "/" {
		return
	}
	var stat unix.Stat_t
	if err := unix.Stat(t.hierarchy.Root+path, &stat); err != nil {
		return // gone already
	}
	if n := t.byID[id]; n != nil {
		n.files.end(t)
	}
	t.byID[id] = &node{path: path, inode: stat.Ino, id: id, watch: noWatch}
}

// Forget drops a cgroup that Learn entered.
func (t *Tree) Forget(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.byID[id]; n != nil && n != t.root {
		n.files.end(t)
		delete(t.byID, id)
	}
}

// name is the path by which others know the cgroup.
func (n *node) name() string {
	if n.path == "" {
		return "/"
	}
	return n.path
}

// each visits the node and all below it, parents first.
func (n *node) each(visit func(*node)) {
	visit(n)
	for _, c := range n.children {
		c.each(visit)
	}
}
