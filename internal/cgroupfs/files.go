// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"sync"

	"golang.org/x/sys/unix"
)

// openFiles are the files of a cgroup that stay open from one reading to the next. An
// open file does not keep its cgroup from being removed.
type openFiles struct {
	mu     sync.Mutex
	fds    map[string]int // noFile: it is not there
	closed bool           // the cgroup is gone
	kept   bool           // counted in Tree.keeps
}

// keep keeps a file open, or that there is none, instead of what was kept before.
func (f *openFiles) keep(name string, fd int) {
	if f.fds == nil {
		f.fds = map[string]int{}
	}
	if before, known := f.fds[name]; known && before != noFile {
		_ = unix.Close(before)
	}
	f.fds[name] = fd
}

// filesOfGroup is the most that are open of one cgroup.
const filesOfGroup = 6

// mayKeep is true while the files that are open are less than half of what this
// process may have.
func (t *Tree) mayKeep(f *openFiles) bool {
	if f.kept {
		return true
	}
	if t.keeps.Add(1) > t.keepsMax {
		t.keeps.Add(-1)
		return false
	}
	f.kept = true
	return true
}

// keepsMax is of how many cgroups files may stay open.
func keepsMax() int64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	const most = 4096
	return int64(min(limit.Cur/2/filesOfGroup, most))
}

// forget closes all; they are opened again when they are read again. The caller holds
// mu.
func (f *openFiles) forget(t *Tree) {
	for _, fd := range f.fds {
		if fd != noFile {
			_ = unix.Close(fd)
		}
	}
	f.fds = nil
	if f.kept {
		f.kept = false
		t.keeps.Add(-1)
	}
}

// end closes all for good.
func (f *openFiles) end(t *Tree) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget(t)
	f.closed = true
}
