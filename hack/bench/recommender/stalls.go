// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// activation is a thread's time from a wake to its sleep, its pieces put together.
type activation struct {
	first  event.Burst
	ended  uint64
	parked uint64
	cpu    uint64 // its own and that of what it caused
	// cause is the activation in which its waker woke it; nil if that is outside.
	cause *activation
	stall uint64 // longest that a quota held it or what it caused
	whole bool   // its beginning and its end were heard
}

// works is the least CPU time of an activation whose stall can hurt. The workloads
// are Go programs: while one of them computes, Go's sysmon thread wakes itself
// thousands of times a second for some microseconds, and would drown the requests.
const works = uint64(100 * time.Microsecond)

// stalls are for how long a quota held each activation that serves somebody: one
// that was woken from outside and works, or what it set going within the container.
func stalls(r event.Recording) []time.Duration {
	all := activations(r.Bursts)
	byThread := map[uint32][]*activation{}
	for _, a := range all {
		byThread[a.first.TID] = append(byThread[a.first.TID], a)
	}
	for _, a := range all {
		if a.first.Waker == event.WakerOwn || a.first.Waker == event.WakerBorn {
			a.cause = during(byThread[a.first.WakerTID], a.first.Woken)
		}
	}
	for _, a := range all {
		charge(a)
	}
	var out []time.Duration
	for _, a := range all {
		if a.whole && a.cpu >= works && (a.first.Waker == event.WakerInterrupt || a.first.Waker == event.WakerOutside) {
			out = append(out, time.Duration(a.stall))
		}
	}
	slices.Sort(out)
	return out
}

// charge carries what held an activation up to what caused it.
func charge(a *activation) {
	const deep = 8 // as the model has it: a chain without an end is nobody's
	held, cpu := a.parked, a.cpu
	a.stall = max(a.stall, held)
	for up, below, n := a.cause, a, 0; up != nil && n < deep; up, below, n = up.cause, up, n+1 {
		up.cpu += cpu
		// What held the cause after it woke the other is not before it.
		held += min(up.parked, below.first.Woken-up.first.Woken)
		up.stall = max(up.stall, held)
	}
}

// activations puts pieces together, by the time of the wake.
func activations(bursts []event.Burst) []*activation {
	open := map[uint32]*activation{}
	var all []*activation
	for _, b := range bursts {
		a := open[b.TID]
		if a == nil {
			a = &activation{first: b, whole: b.Waker != event.WakerNone}
			open[b.TID] = a
			all = append(all, a)
		}
		a.parked += b.Parked
		a.cpu += b.CPU
		a.ended = b.Ended
		if !b.GoesOn {
			delete(open, b.TID)
		}
	}
	for _, a := range open {
		a.whole = false
	}
	slices.SortStableFunc(all, func(a, b *activation) int { return cmp.Compare(a.first.Woken, b.first.Woken) })
	return all
}

// during is the activation of a thread that goes on at a time.
func during(of []*activation, at uint64) *activation {
	i, found := slices.BinarySearchFunc(of, at, func(a *activation, at uint64) int { return cmp.Compare(a.first.Woken, at) })
	if !found {
		i--
	}
	if i < 0 || i >= len(of) || of[i].ended < at {
		return nil
	}
	return of[i]
}

// percentile99 of sorted stalls, by the same rank as the model's.
func percentile99(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)*99/100, len(sorted)-1)]
}
