// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// The second of two recordings begins where its period is as far on as at the end of
// the first, and its counters are added.
func TestJoin(t *testing.T) {
	const ms = 1_000_000
	piece := func(from, to, expires uint64, usage uint64) event.Recording {
		before := event.Group{Quota: 40 * ms, Period: 100 * ms, Expires: expires, Periods: 7, Throttled: 3, Usage: 5}
		after := before
		after.Periods, after.Throttled, after.Usage = 17, 8, 5+usage
		return event.Recording{
			From: from, To: to, Before: []event.Group{before}, After: []event.Group{after},
			Bursts: []event.Burst{{TID: 1, Woken: from + 10*ms, Ended: from + 20*ms}},
		}
	}
	first, second := piece(1000*ms, 2000*ms, 1040*ms, 100), piece(9000*ms, 9500*ms, 9070*ms, 50)
	got := join([]event.Recording{first, second})
	// 70 ms before its refill: 1970 or 2070 ms, of which the first recording covers one.
	const begins = 2070 * ms
	if b := got.Bursts[1]; len(got.Bursts) != 2 || b.Woken != begins+10*ms || b.Ended != begins+20*ms || got.To != begins+500*ms {
		t.Errorf("got %+v to %d", got.Bursts, got.To)
	}
	if a := got.After[0]; a.Periods != 27 || a.Throttled != 13 || a.Usage != 155 {
		t.Errorf("got %+v", a)
	}
	if len(first.Bursts) != 1 || first.After[0].Periods != 17 {
		t.Error("the first recording was changed")
	}
}
