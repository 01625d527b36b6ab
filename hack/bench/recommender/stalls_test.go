// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func TestStallsCountWhatWasCaused(t *testing.T) {
	const m = uint64(time.Millisecond)
	r := event.Recording{Bursts: []event.Burst{
		// The dispatcher is not held, the worker that it wakes is, in two pieces.
		{TID: 1, Waker: event.WakerOutside, Woken: 10 * m, Ended: 11 * m, CPU: 20_000},
		{TID: 2, Waker: event.WakerOwn, WakerTID: 1, Woken: 11 * m, Ended: 50 * m, CPU: 9 * m, Parked: 30 * m, GoesOn: true},
		{TID: 2, Waker: event.WakerNone, Woken: 50 * m, Ended: 80 * m, CPU: 9 * m, Parked: 20 * m},
		// Held after it woke the other: not the other's stall.
		{TID: 3, Waker: event.WakerInterrupt, Woken: 100 * m, Ended: 150 * m, CPU: 9 * m, Parked: 40 * m},
		{TID: 4, Waker: event.WakerOwn, WakerTID: 3, Woken: 101 * m, Ended: 120 * m, CPU: m, Parked: 5 * m},
		// Awake when listening began, and when it ended: nobody's.
		{TID: 5, Waker: event.WakerNone, Woken: 1 * m, Ended: 90 * m, CPU: m, Parked: 80 * m},
		{TID: 6, Waker: event.WakerOutside, Woken: 2 * m, Ended: 90 * m, CPU: m, Parked: 80 * m, GoesOn: true},
		// Too small to serve anybody.
		{TID: 7, Waker: event.WakerInterrupt, Woken: 3 * m, Ended: 4 * m, CPU: 20_000},
	}}
	got := stalls(r)
	want := []time.Duration{40 * time.Millisecond, 50 * time.Millisecond}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPercentile99(t *testing.T) {
	if percentile99(nil) != 0 || percentile99([]time.Duration{7}) != 7 {
		t.Error("of none it is 0, of one that one")
	}
	all := make([]time.Duration, 200)
	all[199], all[198] = 9, 8
	if got := percentile99(all); got != 8 {
		t.Errorf("of 200 it is the 199th: got %v", got)
	}
}
