// SPDX-License-Identifier: Apache-2.0

// Package seat keeps two observers from testifying for one node at a time. Who
// testifies holds a lock on the root of the cgroup file system, which every process
// of a machine shares that sees the host's: the kernel gives it back when its holder
// ends, however it ends. Nothing is written, so that a read-only mount will do.
package seat

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Seat is one node's, held until it is closed.
type Seat struct{ file *os.File }

// Bounds of the time between two looks at whether the seat is free. It differs each
// time, so that two who ask at once do not go on to.
const (
	shortestWait = 300 * time.Millisecond
	longestWait  = time.Second
)

// Take takes the seat of a node, at the root of a cgroup hierarchy. While somebody
// else has it, it waits, and calls taken once. It fails where the file system has no
// locks, and when ctx is done.
func Take(ctx context.Context, root, node string, taken func()) (*Seat, error) {
	file, err := os.Open(filepath.Join(root, "cgroup.procs"))
	if err != nil {
		return nil, fmt.Errorf("open the node's seat: %w", err)
	}
	s := &Seat{file}
	for first := true; ; first = false {
		free, err := s.take(node)
		if free {
			return s, nil
		}
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if first {
			taken()
		}
		select {
		case <-time.After(shortestWait + rand.N(longestWait-shortestWait)): //nolint:gosec // no secret
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		}
	}
}

// take asks for a shared lock, which a file that is open for reading can have, and
// is content if nobody else has one. The byte that is locked is the node's: one
// machine may be several, each of a cluster of its own.
func (s *Seat) take(node string) (bool, error) {
	lock := unix.Flock_t{Type: unix.F_RDLCK, Start: place(node), Len: 1}
	if err := unix.FcntlFlock(s.file.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
		return false, fmt.Errorf("lock the node's seat: %w", err)
	}
	lock.Type = unix.F_WRLCK
	if err := unix.FcntlFlock(s.file.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return false, fmt.Errorf("look at the node's seat: %w", err)
	}
	if lock.Type == unix.F_UNLCK {
		return true, nil
	}
	lock = unix.Flock_t{Type: unix.F_UNLCK, Start: place(node), Len: 1}
	if err := unix.FcntlFlock(s.file.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
		return false, fmt.Errorf("leave the node's seat: %w", err)
	}
	return false, nil
}

// place is the node's byte.
func place(node string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(node)) // never fails
	return int64(h.Sum64() & (math.MaxInt64 >> 1))
}

// Close gives the seat back.
func (s *Seat) Close() error { return s.file.Close() }
