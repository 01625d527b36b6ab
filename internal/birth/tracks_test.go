// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// System calls of the tests, by number.
var testNames = waitNames{func(nr int) string {
	return []string{"futex", "nanosleep", "read", "wait4", "accept4", "getpid", "clone"}[nr]
}}

const (
	nrFutex = iota
	nrNanosleep
	nrRead
	nrWait4
	nrAccept
	nrGetpid
	nrClone
	nrNone = -1
)

func TestStretchesOfAThread(t *testing.T) {
	const began, end = 100, 1000
	for name, c := range map[string]struct {
		ds   []departure
		want []stretch
	}{
		"there from the start, and ends": {
			[]departure{{at: 300, why: reasonLast}},
			[]stretch{{100, 300, onCPU, waitOther}},
		},
		"sleeps and never returns": {
			[]departure{{at: 300, syscall: nrFutex}},
			[]stretch{{100, 300, onCPU, waitOther}, {300, 1000, blocked, waitLock}},
		},
		"preempted and never returns": {
			[]departure{{at: 300, syscall: nrNone, why: reasonRunnable}},
			[]stretch{{100, 300, onCPU, waitOther}, {300, 1000, runnable, waitOther}},
		},
		"sleeps, is woken, waits for a CPU, goes on": {
			[]departure{{at: 300, syscall: nrRead}, {at: 600, woken: 400, on: 500, syscall: nrNone, why: reasonLast}},
			[]stretch{{100, 300, onCPU, waitOther}, {300, 400, blocked, waitMessage}, {400, 500, runnable, waitOther}, {500, 600, onCPU, waitOther}},
		},
		"nobody was heard to wake it": {
			[]departure{{at: 300, syscall: nrRead}, {at: 600, on: 500, syscall: nrNone, why: reasonLast}},
			[]stretch{{100, 300, onCPU, waitOther}, {300, 500, blocked, waitMessage}, {500, 600, onCPU, waitOther}},
		},
		"made later: ready from its making": {
			[]departure{{at: 600, woken: 400, on: 500, syscall: nrNone, why: reasonLast}},
			[]stretch{{400, 500, runnable, waitOther}, {500, 600, onCPU, waitOther}},
		},
		"heard only after it slept": {
			[]departure{{at: 600, on: 500, syscall: nrNone, why: reasonLast}},
			[]stretch{{100, 500, blocked, waitOther}, {500, 600, onCPU, waitOther}},
		},
		"its id is another thread's after its end": {
			[]departure{{at: 300, why: reasonLast}, {at: 600, woken: 400, on: 500, syscall: nrNone, why: reasonLast}},
			[]stretch{{100, 300, onCPU, waitOther}, {400, 500, runnable, waitOther}, {500, 600, onCPU, waitOther}},
		},
		"its return was not heard": {
			[]departure{{at: 300, on: 200, woken: 150, syscall: nrFutex}, {at: 600, on: 200, syscall: nrNone, why: reasonLast}},
			[]stretch{{150, 200, runnable, waitOther}, {200, 300, onCPU, waitOther}, {300, 600, onCPU, waitOther}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := testNames.stretches(c.ds, false, began, end); !slices.Equal(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestStretchesAreOfOneSide(t *testing.T) {
	ds := []departure{{at: 300, tid: 1, why: reasonLast}, {at: 500, on: 300, tid: 1, workload: true, why: reasonLast}}
	if got := testNames.stretches(ds, true, 300, 1000); !slices.Equal(got, []stretch{{300, 500, onCPU, waitOther}}) {
		t.Errorf("the workload's: %v", got)
	}
	if got := testNames.stretches(ds, false, 100, 1000); !slices.Equal(got, []stretch{{100, 300, onCPU, waitOther}}) {
		t.Errorf("the runtime's: %v", got)
	}
}

// randomDepartures are what no kernel would say in this order: a thread must be
// in one state at a time all the same.
func randomDepartures(r *rand.Rand, threads int) []departure {
	var all []departure
	for tid := range threads {
		at := uint64(0)
		for range 1 + r.IntN(8) {
			at += 1000 * (1 + r.Uint64N(50))
			d := departure{
				at: at, tid: uint32(tid), why: reason(r.IntN(int(reasonLast) + 1)), syscall: int16(r.IntN(nrClone+2) - 1),
				on: 1000 * r.Uint64N(at/1000+1), workload: r.IntN(4) == 0,
			}
			if r.IntN(2) == 0 {
				d.woken = 1000 * r.Uint64N(at/1000+1)
			}
			all = append(all, d)
		}
	}
	return all
}

func TestAThreadIsInOneStateAtATime(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // it is to be the same each time
	for round := range 2000 {
		ds := randomDepartures(r, 1)
		all := testNames.stretches(ds, false, 1000*r.Uint64N(50), 1000*(400+r.Uint64N(50)))
		slices.SortFunc(all, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
		for i, s := range all {
			if s.from >= s.to || i > 0 && s.from < all[i-1].to {
				t.Fatalf("round %d: %v of %+v", round, all, ds)
			}
		}
	}
}

// What is kept of a session of which nothing else could be kept is forgotten with the rest.
func TestASessionWithoutRoomIsTracked(t *testing.T) {
	b := newTestBook(false)
	b.tracks.total = departuresMax
	b.Stretch(event.Event{Kind: event.OffCPU, Session: 9, Stretch: &event.Stretch{}})
	if all := b.Tracked(); !slices.Equal(all, []uint64{9}) {
		t.Fatalf("tracked: %v", all)
	}
	b.Forget(9)
	if all := b.Tracked(); len(all) != 0 {
		t.Errorf("tracked: %v", all)
	}
}
