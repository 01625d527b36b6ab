// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// departuresMax bounds what is kept for all sessions together: 16 MiB. A birth has
// some thousands of them.
const departuresMax = 512 * 1024

// tracks are the times at which the threads of sessions left their CPUs, by
// session: a session gets its name later than its first event.
type tracks struct {
	bySession map[uint64][]departure
	// cut are the sessions of which not all could be kept.
	cut   map[uint64]bool
	total int
}

func newTracks() *tracks {
	return &tracks{bySession: map[uint64][]departure{}, cut: map[uint64]bool{}}
}

// departure is an event.OffCPU in the form that is kept: there are thousands in
// a birth.
type departure struct {
	at, woken, on uint64
	tid           uint32
	syscall       int16
	why           reason
	workload      bool
}

// reason is what a thread was seen in when it left its CPU.
type reason uint8

const (
	reasonAsleep reason = iota
	reasonRunnable
	reasonIOWait
	reasonUninterruptible
	reasonLast
)

func reasonOf(s *event.Stretch) reason {
	switch {
	case s.Last:
		return reasonLast
	case s.Runnable:
		return reasonRunnable
	case s.IOWait:
		return reasonIOWait
	case s.Uninterruptible:
		return reasonUninterruptible
	}
	return reasonAsleep
}

func (t *tracks) add(e event.Event) {
	if t.total >= departuresMax {
		t.cut[e.Session] = true
		return
	}
	t.total++
	t.bySession[e.Session] = append(t.bySession[e.Session], departure{
		at: e.Time, woken: e.Stretch.Woken, on: e.Stretch.On, tid: e.TID,
		syscall: int16(e.Stretch.Syscall), why: reasonOf(e.Stretch), workload: e.Workload,
	})
}

// last is when a thread of the session last left its CPU, as far as it was told.
func (t *tracks) last(session uint64) uint64 {
	var latest uint64
	for _, d := range t.bySession[session] {
		latest = max(latest, d.at)
	}
	return latest
}

// wantsOn is true while a thread of these sessions' workloads was last seen to
// leave its CPU although it could have gone on, or for what it reads: on busy
// CPUs a program is silent for long and yet not at rest.
func (t *tracks) wantsOn(sessions map[uint64]bool) bool {
	for id := range sessions {
		seen := map[uint32]bool{}
		for _, d := range slices.Backward(t.bySession[id]) {
			if !d.workload || seen[d.tid] {
				continue
			}
			seen[d.tid] = true
			if d.why == reasonRunnable || d.why == reasonIOWait || d.why == reasonUninterruptible {
				return true
			}
		}
	}
	return false
}

func (t *tracks) forget(session uint64) {
	t.total -= len(t.bySession[session])
	delete(t.bySession, session)
	delete(t.cut, session)
}

// Tracked are the sessions of which the book keeps what their threads did.
func (b *Book) Tracked() []uint64 {
	all := slices.Collect(maps.Keys(b.tracks.bySession))
	for session := range b.tracks.cut {
		if _, kept := b.tracks.bySession[session]; !kept {
			all = append(all, session)
		}
	}
	return all
}

// stretch is a time in which a thread was in one state.
type stretch struct {
	from, to uint64
	state    state
	// what the thread waited for, where it was blocked.
	what wait
}

type state uint8

const (
	onCPU state = iota
	runnable
	blocked
)

// stretches turns the departures of one session's own threads, or of its
// workload's, into what each thread did: began is when the first of them was on
// its CPU, end how far it is to be told.
func (n *waitNames) stretches(all []departure, workload bool, began, end uint64) []stretch {
	byThread := map[uint32][]departure{}
	for _, d := range all {
		if d.workload == workload {
			byThread[d.tid] = append(byThread[d.tid], d)
		}
	}
	var out []stretch
	for _, ds := range byThread {
		slices.SortFunc(ds, func(a, b departure) int { return cmp.Compare(a.at, b.at) })
		out = append(out, n.thread(ds, began, end)...)
	}
	return out
}

// thread tells the stretches of one thread.
func (n *waitNames) thread(ds []departure, began, end uint64) []stretch {
	out := make([]stretch, 0, 3*len(ds)+1)
	add := func(from, to uint64, s state, what wait) {
		if from < to {
			out = append(out, stretch{from, to, s, what})
		}
	}
	left, what := uint64(0), waitOther // when and why it left its CPU the last time
	told := uint64(0)                  // how far the thread is told
	for i, d := range ds {
		woken, on := d.woken, d.on
		switch {
		case i == 0 && on == 0:
			on = began // there since it became a member
		case i == 0 && woken == 0:
			left = began // it was heard from here on only
		}
		on = min(max(on, told), d.at) // where its return was not heard
		if woken == 0 || woken > on {
			woken = on
		}
		woken = max(woken, told)
		if left != 0 {
			add(left, woken, blocked, what)
		}
		add(woken, on, runnable, waitOther)
		add(on, d.at, onCPU, waitOther)
		left, what, told = d.at, n.of(d), d.at
		if d.why == reasonLast {
			left = 0 // what follows under this id is another thread
		}
	}
	switch last := ds[len(ds)-1]; last.why {
	case reasonLast:
	case reasonRunnable:
		add(left, end, runnable, waitOther)
	default:
		add(left, end, blocked, what)
	}
	return out
}
