// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"cmp"
	"slices"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// activation is one stretch of a thread from its wake until it blocked, put
// together from its pieces. Durations in ns.
type activation struct {
	tid                 uint32
	waker               event.Waker
	wakerTID            uint32
	woken, ended        uint64
	cpu, parked, queued uint64
	// outside: it was not the container itself that woke it, and it serves somebody.
	outside bool
	// asked: it is outside, or such a one has caused it.
	asked bool
	// slept is the system call that it slept in before.
	slept int32
	// complete: it blocked or ended within the recording.
	complete bool
	// cause is the activation that woke it, -1 if none of the recording did.
	cause int
	// stall is for how long a quota held it, or those that it caused.
	stall uint64
	// served is its CPU time and that of those that it caused.
	served uint64
}

// activations puts the bursts of a recording together, in the order of their
// wakes, and joins them along the wakes within the container.
func activations(r event.Recording) []activation {
	all := pieces(r)
	slices.SortStableFunc(all, func(a, b activation) int { return cmp.Compare(a.woken, b.woken) })
	causes(all)
	// Who was woken comes after its waker: from the end, each is done before its
	// cause needs it.
	extra := make([]uint64, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		a := &all[i]
		a.stall = a.parked + extra[i]
		a.served += a.cpu
		if a.cause < 0 {
			continue
		}
		c := &all[a.cause]
		c.served += a.served
		extra[a.cause] = max(extra[a.cause], a.stall-heldTogether(c, a))
	}
	dropHousekeeping(r, all)
	for i := range all { // a cause comes before what it caused
		a := &all[i]
		a.asked = a.outside || a.cause >= 0 && all[a.cause].asked
	}
	return all
}

// sleeps are nanosleep and clock_nanosleep of amd64 and arm64; on either machine
// the other's numbers are of calls that nobody sleeps in.
var sleeps = []int32{35, 230, 101, 115}

// workingNaps per second: the runtime of Go looks after itself in a thread that
// naps up to 50,000 times a second (sysmon). While all its CPUs are busy the same
// thread finds the requests that have come. Rarer than this it is collecting
// garbage or memory for itself; beside a loop that did nothing else it was measured
// once a second.
const workingNaps = 3

// dropHousekeeping leaves out of those that serve somebody the threads that look
// after something from time to time, and find nothing to do: beside them requests
// would hardly count.
func dropHousekeeping(r event.Recording, all []activation) {
	working := 0
	for i := range all {
		if a := &all[i]; a.naps() && a.served >= event.ServesFrom {
			working++
		}
	}
	rare := r.Language == "Go" && float64(working) < workingNaps*time.Duration(span(r.From, r.To)).Seconds()
	for i := range all {
		if a := &all[i]; a.naps() && (a.served < event.ServesFrom || rare) {
			a.outside = false
		}
	}
}

// naps is true for a thread that a timer woke out of a sleep of its own.
func (a *activation) naps() bool {
	return a.waker == event.WakerInterrupt && slices.Contains(sleeps, a.slept)
}

// heldTogether is how long waker and woken may have stood still at the same
// time: a quota holds the threads of a container together, and what both waited
// is one wait.
func heldTogether(waker, woken *activation) uint64 {
	overlap := min(waker.ended, woken.ended) - woken.woken
	return min(waker.parked, woken.stall, overlap)
}

func pieces(r event.Recording) []activation {
	all := make([]activation, 0, len(r.Bursts))
	open := map[uint32]int{}
	for _, b := range r.Bursts {
		i, goesOn := open[b.TID]
		if !goesOn || b.Waker != event.WakerNone {
			i = len(all)
			all = append(all, activation{
				tid: b.TID, woken: b.Woken, waker: b.Waker, wakerTID: b.WakerTID, cause: -1,
				outside: b.FromOutside(r.Cgroup), slept: b.Slept,
			})
		}
		a := &all[i]
		a.ended = max(b.Ended, b.Woken)
		a.cpu += b.CPU
		a.parked += b.Parked
		a.queued += b.Queued
		if b.GoesOn {
			open[b.TID] = i
		} else {
			a.complete = true
			delete(open, b.TID)
		}
	}
	return all
}

// causes finds the activation during which each was woken from within.
func causes(all []activation) {
	threads := map[uint32][]int{}
	for i := range all {
		threads[all[i].tid] = append(threads[all[i].tid], i)
	}
	for i := range all {
		a := &all[i]
		if a.outside || a.waker != event.WakerOwn && a.waker != event.WakerBorn {
			continue
		}
		of := threads[a.wakerTID]
		at, _ := slices.BinarySearchFunc(of, a.woken, func(j int, t uint64) int {
			return cmp.Compare(all[j].woken, t)
		})
		if at == 0 {
			continue // strictly before: the last that began by then
		}
		if j := of[at-1]; all[j].ended >= a.woken && j < i {
			a.cause = j
		}
	}
}
