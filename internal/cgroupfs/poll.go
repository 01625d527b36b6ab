// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// How often all cgroups are read where they are polled: as often as takes no more
// than such a share of one CPU, within bounds.
const (
	soonest, soonestAtRest = 100 * time.Millisecond, 250 * time.Millisecond
	latest, latestAtRest   = time.Second, 5 * time.Second
	share, shareAtRest     = 50, 250 // the time that a look takes, times this
)

// pace is how often is looked.
type pace struct{ busy atomic.Bool }

func (p *pace) next(took time.Duration) time.Duration {
	if p.busy.Load() {
		return min(max(took*share, soonest), latest)
	}
	return min(max(took*shareAtRest, soonestAtRest), latestAtRest)
}

// Hurry says whether cgroups are expected to be made: polling is quicker then.
func (t *Tree) Hurry(expected bool) {
	if t.pace.busy.Swap(expected) == expected || !expected {
		return
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// poll looks again and again until ctx is done.
func (t *Tree) poll(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
		case <-timer.C:
		}
		began := time.Now()
		t.telling.Lock()
		t.mu.Lock()
		t.look()
		t.mu.Unlock()
		took := time.Since(began)
		t.flush()
		t.telling.Unlock()
		timer.Reset(t.pace.next(took))
	}
}

// look brings everything up to date. The caller holds mu.
func (t *Tree) look() {
	began := t.options.Now()
	t.incomplete = false
	t.scan(t.root)
	t.looked = began
}

// tick is how far the kernel's coarse clock, by which inodes are stamped, may lag (HZ
// of 250 and more; with 100, times are early by up to 6 ms).
const tick = uint64(4 * time.Millisecond)

// made is when a cgroup was made, as well as can be told (the clock of events). The
// kernel stamps the folder when it is first opened, which whoever makes a cgroup does
// next. A watch tells at once, but this process may have waited for a CPU: the stamp
// bounds by how much it is late. Who polls knows that it was after the look before,
// and takes the stamp. The caller holds mu.
func (t *Tree) made(n *node) uint64 {
	now := t.options.Now()
	var stat unix.Stat_t
	if n.inode == 0 || t.looked == 0 || unix.Lstat(t.hierarchy.Root+n.path, &stat) != nil || stat.Ino != n.inode {
		return now
	}
	ago := uint64(max(0, time.Since(time.Unix(stat.Ctim.Unix()))))
	stamped := now - min(now, ago)
	if t.watches != nil {
		return min(now, stamped+tick)
	}
	return max(stamped, t.looked)
}
