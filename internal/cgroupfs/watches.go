// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	noWatch = int32(-1)
	// watched is what is heard of a folder. Not what is written into its files:
	// libraries for this ask for that as well, which is much, and says nothing here.
	watched = unix.IN_CREATE | unix.IN_DELETE | unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW
	// spaceForWatches takes some thousands of what the kernel tells at a time.
	spaceForWatches = 64 * 1024
)

// watches are the inotify watches of a tree. On nil close and remove do nothing.
type watches struct {
	fd    int
	file  *os.File // the same, to wait for
	nodes map[int32]*node
	space []byte
}

func newWatches() (*watches, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("begin to watch (see /proc/sys/fs/inotify/max_user_instances): %w", err)
	}
	return &watches{fd: fd, file: os.NewFile(uintptr(fd), "inotify"), nodes: map[int32]*node{}, space: make([]byte, spaceForWatches)}, nil
}

func (w *watches) close() error {
	if w == nil {
		return nil
	}
	return w.file.Close()
}

// add watches a node's folder. A folder that is gone needs no watch.
func (w *watches) add(n *node, folder string) error {
	wd, err := unix.InotifyAddWatch(w.fd, folder, watched)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("watch %d cgroups (see /proc/sys/fs/inotify/max_user_watches): %w", len(w.nodes)+1, err)
	case err != nil:
		return fmt.Errorf("watch a cgroup: %w", err)
	}
	n.watch = int32(wd)
	w.nodes[n.watch] = n
	return nil
}

// remove ends a watch. The kernel does not do so by itself when a cgroup is
// removed: as long as it is watched its folder stays in memory.
func (w *watches) remove(watch int32) {
	if w == nil || watch == noWatch {
		return
	}
	delete(w.nodes, watch)
	_, _ = unix.InotifyRmWatch(w.fd, uint32(watch)) // it may have ended
}

// watch watches a node from now on; where no more can be watched all are polled.
// The caller holds mu.
func (t *Tree) watch(n *node) {
	if t.watches == nil || n.watch != noWatch {
		return
	}
	if err := t.watches.add(n, t.hierarchy.Root+n.path); err != nil {
		t.fallBack(err)
	}
}

// readWatches tells what the watches say until ctx is done or they are closed.
func (t *Tree) readWatches(ctx context.Context) error {
	t.mu.Lock()
	w := t.watches
	t.mu.Unlock()
	if w == nil {
		return nil
	}
	conn, err := w.file.SyscallConn()
	if err != nil {
		return nil // closed: by fallBack
	}
	stop := context.AfterFunc(ctx, func() { _ = w.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for ctx.Err() == nil && t.hasWatches() {
		// false waits until there is more to read.
		_ = conn.Read(func(uintptr) bool { return t.tellDrained() > 0 })
	}
	return nil
}

func (t *Tree) hasWatches() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.watches != nil
}

func (t *Tree) tellDrained() int {
	t.telling.Lock()
	defer t.telling.Unlock()
	t.mu.Lock()
	n := t.drain()
	t.mu.Unlock()
	t.flush()
	return n
}

// drain takes all that the watches have to say now, and returns how much it was.
// The caller holds mu.
func (t *Tree) drain() int {
	total := 0
	for t.watches != nil {
		w := t.watches
		size, err := ignoringEINTR(func() (int, error) { return unix.Read(w.fd, w.space) })
		if err != nil || size <= 0 {
			break
		}
		total += size
		for raw := w.space[:size]; len(raw) >= unix.SizeofInotifyEvent && t.watches == w; {
			var name string
			wd, mask := int32(binary.NativeEndian.Uint32(raw)), binary.NativeEndian.Uint32(raw[4:])
			length := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(raw[12:]))
			if length > len(raw) {
				break
			}
			if text := raw[unix.SizeofInotifyEvent:length]; len(text) > 0 {
				name = string(text[:max(0, bytes.IndexByte(text, 0))])
			}
			raw = raw[length:]
			t.heard(wd, mask, name)
		}
	}
	return total
}

// heard takes one thing that a watch says.
func (t *Tree) heard(wd int32, mask uint32, name string) {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		t.overflows.Add(1)
		t.look()
		return
	}
	n := t.watches.nodes[wd]
	if n != nil && n.parent != nil && mask&unix.IN_IGNORED != 0 {
		// Its folder is no more, whatever is there under its name and even its inode's
		// number. Of cgroups, whose numbers are not used again, this is not told.
		parent := n.parent
		t.remove(n)
		t.reconcile(parent, n.path[len(parent.path)+1:], false)
		return
	}
	if n == nil || mask&unix.IN_ISDIR == 0 || name == "" {
		return // of a cgroup that is gone, or of a file
	}
	t.reconcile(n, name, mask&unix.IN_CREATE != 0)
}
