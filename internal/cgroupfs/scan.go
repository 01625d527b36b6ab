// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// nobodys are the ids of cgroups that were gone before they could be looked at.
// The kernel's own are inode numbers, counted up from one (before Linux 5.5 with
// a count of their reuse in the upper half), and have never come this far.
const nobodys = uint64(1) << 63

// scan compares what is below a node with what is known, all the way down. The
// caller holds mu.
func (t *Tree) scan(n *node) {
	now, err := t.list(n)
	if err != nil {
		t.complain(err)
		return
	}
	for name, c := range n.children {
		if inode, there := now[name]; !there || inode != c.inode {
			t.remove(c)
		}
	}
	for name, inode := range now {
		if c := n.children[name]; c == nil {
			t.add(n, name, inode)
		} else {
			t.scan(c)
		}
	}
}

// complain says what cannot be read, unless that is because it is being removed:
// then its parent tells. It says so once.
func (t *Tree) complain(err error) {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return
	}
	t.incomplete = true
	if !t.complained {
		t.complained = true
		t.options.Log.Warn("cannot read a folder of the cgroup file system", "error", err)
	}
}

// list is the inodes of the folders in a folder, by name.
func (t *Tree) list(n *node) (map[string]uint64, error) {
	folder := t.hierarchy.Root + n.path
	fd, err := ignoringEINTR(func() (int, error) {
		return unix.Open(folder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", folder, err)
	}
	defer func() { _ = unix.Close(fd) }()
	found := map[string]uint64{}
	for {
		size, err := ignoringEINTR(func() (int, error) { return unix.Getdents(fd, t.space[:]) })
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", folder, err)
		}
		if size == 0 {
			return found, nil
		}
		folders(t.space[:size], func(name string, inode uint64) { found[name] = inode })
	}
}

// lookup is the inode of a folder in a folder.
func (t *Tree) lookup(n *node, name string) (uint64, bool) {
	var stat unix.Stat_t
	err := unix.Lstat(t.hierarchy.Root+n.path+"/"+name, &stat)
	return stat.Ino, err == nil && stat.Mode&unix.S_IFMT == unix.S_IFDIR
}

// add enters a cgroup with all below it. Watch first, then look: so that nothing
// is made between the two.
func (t *Tree) add(parent *node, name string, inode uint64) {
	n := &node{parent: parent, path: parent.path + "/" + name, inode: inode, id: inode, watch: noWatch, children: map[string]*node{}}
	e := event.Event{Kind: event.CgroupMkdir, Path: n.path}
	if inode == 0 {
		t.nobody++
		n.id = nobodys | t.nobody
	} else {
		e.Pointer = t.locate(n)
	}
	parent.children[name] = n
	if known := t.byID[n.id]; known != nil { // by Learn
		known.files.end(t)
	}
	t.byID[n.id] = n
	e.Cgroup, e.Time = n.id, t.made(n)
	t.queue = append(t.queue, e)
	if inode != 0 {
		t.watch(n)
		t.scan(n)
	}
}

// locate finds the kernel's own id and address of a cgroup, where somebody can.
// Before Linux 5.5 an inode's number is only the lower half of its id.
func (t *Tree) locate(n *node) (pointer uint64) {
	if t.options.Locate == nil || !t.walked {
		return 0
	}
	id, pointer, err := t.options.Locate(n.path)
	if err != nil || uint32(id) != uint32(n.inode) {
		return 0
	}
	n.id = id
	return pointer
}

// remove drops a cgroup with all below it: the end of those may not have been told.
func (t *Tree) remove(n *node) {
	for _, c := range n.children {
		t.remove(c)
	}
	t.watches.remove(n.watch)
	n.files.end(t)
	if t.byID[n.id] == n {
		delete(t.byID, n.id)
	}
	delete(n.parent.children, n.path[len(n.parent.path)+1:])
	t.queue = append(t.queue, event.Event{Kind: event.CgroupRmdir, Time: t.options.Now(), Cgroup: n.id, Path: n.path})
}

// reconcile brings one name up to date. made says that it has been made since it
// was last looked at; it may be gone again.
func (t *Tree) reconcile(parent *node, name string, made bool) {
	inode, there := t.lookup(parent, name)
	known := parent.children[name]
	switch {
	case known != nil && there && known.inode == inode:
		return
	case known != nil:
		t.remove(known)
	case !there && made:
		t.add(parent, name, 0)
	}
	if there {
		t.add(parent, name, inode)
	}
}
