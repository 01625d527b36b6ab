// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const ms = uint64(time.Millisecond)

// burst is one that ran for what the quota and the queue left of it.
func burst(tid uint32, from, to uint64, waker event.Waker, wakerTID uint32, parked, queued uint64) event.Burst {
	return event.Burst{
		TID: tid, TGID: 1, Woken: from * ms, Ended: to * ms, CPU: (to - from - parked - queued) * ms,
		Parked: parked * ms, Queued: queued * ms, Switches: 1, Waker: waker, WakerTID: wakerTID,
	}
}

func goesOn(b event.Burst) event.Burst {
	b.GoesOn = true
	return b
}

func recording(bursts ...event.Burst) event.Recording {
	limit := event.Group{Cgroup: 7, Quota: 50 * ms, Period: 100 * ms, Expires: 100 * ms}
	return event.Recording{
		Cgroup: 7, From: 0, To: 1000 * ms, Before: []event.Group{limit}, After: []event.Group{limit},
		CPUs: 2, Bursts: bursts, Threads: 2, Switches: uint64(len(bursts)), RunnableMax: 2,
	}
}

func unnamed(uint64) v1alpha1.Preemptor { return v1alpha1.Preemptor{Cgroup: "/other"} }

func summaryOf(r event.Recording) summary {
	return summarize(r, w1(), func(t uint64) time.Time { return began.Add(time.Duration(t)) }, unnamed)
}

// A request wakes thread 1, which hands it to thread 2, and the quota holds both.
func TestAStallCountsForTheOneThatCausedIt(t *testing.T) {
	for name, test := range map[string]struct {
		bursts []event.Burst
		stall  uint64 // of the activation from outside, ms
	}{
		"itself": {[]event.Burst{burst(1, 10, 100, event.WakerInterrupt, 0, 80, 0)}, 80},
		"what it caused": {[]event.Burst{
			burst(1, 10, 12, event.WakerOutside, 99, 0, 0),
			burst(2, 11, 95, event.WakerOwn, 1, 70, 0),
		}, 70},
		"one after the other": {[]event.Burst{
			burst(1, 10, 100, event.WakerInterrupt, 0, 80, 0),
			burst(2, 100, 200, event.WakerOwn, 1, 80, 0),
		}, 160},
		"both at the same time": {[]event.Burst{
			burst(1, 10, 100, event.WakerInterrupt, 0, 80, 0),
			burst(2, 12, 101, event.WakerOwn, 1, 80, 0),
		}, 80},
		"the longest of two": {[]event.Burst{
			burst(1, 10, 12, event.WakerInterrupt, 0, 0, 0),
			burst(2, 11, 50, event.WakerOwn, 1, 30, 0),
			burst(3, 11, 70, event.WakerOwn, 1, 50, 0),
		}, 50},
		"through three threads": {[]event.Burst{
			burst(1, 10, 12, event.WakerInterrupt, 0, 0, 0),
			burst(2, 12, 14, event.WakerOwn, 1, 0, 0),
			burst(3, 14, 60, event.WakerOwn, 2, 40, 0),
		}, 40},
		"born of it": {[]event.Burst{
			burst(1, 10, 12, event.WakerInterrupt, 0, 0, 0),
			burst(2, 11, 60, event.WakerBorn, 1, 40, 0),
		}, 40},
		"caused by an earlier activation of the same thread": {[]event.Burst{
			burst(1, 10, 12, event.WakerInterrupt, 0, 0, 0),
			burst(2, 300, 350, event.WakerOwn, 1, 40, 0),
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := summaryOf(recording(test.bursts...))
			if s.bursts.OutsideActivations != 1 || s.bursts.Activations != int64(len(test.bursts)) {
				t.Fatalf("%d outside of %d", s.bursts.OutsideActivations, s.bursts.Activations)
			}
			if got := *s.figures.stallP99; got != int64(test.stall)*1000 {
				t.Errorf("stalled for %d µs, want %d ms", got, test.stall)
			}
			stalled := int64(0)
			if test.stall > 0 {
				stalled = 1
			}
			if s.bursts.StalledActivations != stalled {
				t.Errorf("%d stalled", s.bursts.StalledActivations)
			}
		})
	}
}

func TestPiecesAreOneActivation(t *testing.T) {
	s := summaryOf(recording(
		goesOn(burst(1, 10, 100, event.WakerInterrupt, 0, 50, 0)),
		goesOn(burst(1, 100, 200, event.WakerNone, 0, 50, 0)),
		burst(1, 200, 250, event.WakerNone, 0, 0, 0),
	))
	if s.bursts.Activations != 1 || *s.figures.stallP50 != 100_000 {
		t.Errorf("%+v, median %d", s.bursts, *s.figures.stallP50)
	}
	if s.bursts.NeverSleptPercent != "0.0" {
		t.Errorf("it slept, and %s %% did not", s.bursts.NeverSleptPercent)
	}
}

func TestALoopNeverSleeps(t *testing.T) {
	s := summaryOf(recording(
		goesOn(burst(1, 0, 500, event.WakerNone, 0, 450, 0)),
		goesOn(burst(1, 500, 1000, event.WakerNone, 0, 450, 0)),
	))
	if b := s.bursts; b.NeverSleptPercent != "100.0" || b.Activations != 0 || b.OutsideActivations != 0 {
		t.Errorf("%+v", b)
	}
	if s.figures.stallP99 != nil {
		t.Error("a stall of an activation that nobody waits for")
	}
	if s.figures.threadTimeLost != "90.0" {
		t.Errorf("lost %s %%", s.figures.threadTimeLost)
	}
}

// Of a Go program that waits for requests most wakes are its own housekeeping.
func TestHousekeepingServesNobody(t *testing.T) {
	nap := func(cpu uint64, waker event.Waker) event.Burst {
		return event.Burst{TID: 1, Woken: 10 * ms, Ended: 90 * ms, CPU: cpu, Parked: 70 * ms, Waker: waker, Slept: 230}
	}
	for name, test := range map[string]struct {
		burst event.Burst
		want  int64
	}{
		"a nap":                    {nap(10_000, event.WakerInterrupt), 0},
		"a timer that does work":   {nap(200_000, event.WakerInterrupt), 1},
		"somebody who ended a nap": {nap(10_000, event.WakerOutside), 1},
		"a short request":          {event.Burst{TID: 1, Woken: 1, Ended: ms, CPU: 10_000, Waker: event.WakerInterrupt, Slept: 232}, 1},
	} {
		if got := summaryOf(recording(test.burst)).bursts.OutsideActivations; got != test.want {
			t.Errorf("%s: %d outside activations", name, got)
		}
	}
}

func TestPercentilesAreNearestRanks(t *testing.T) {
	var values []uint64
	for i := uint64(1); i <= 200; i++ {
		values = append(values, i*1000)
	}
	if p50, p99 := *rank(values, 50), *rank(values, 99); p50 != 100 || p99 != 198 {
		t.Errorf("%d, %d", p50, p99)
	}
	if one := *rank([]uint64{5000}, 99); one != 5 {
		t.Errorf("of one: %d", one)
	}
}

// Two requests in one period want 30 ms and 40 ms, one in the next 50 ms.
func TestThePeakIsOfOnePeriod(t *testing.T) {
	s := summaryOf(recording(
		burst(1, 110, 140, event.WakerInterrupt, 0, 0, 0),
		burst(1, 150, 152, event.WakerInterrupt, 0, 0, 0),
		burst(2, 151, 189, event.WakerOwn, 1, 0, 0),
		burst(1, 210, 260, event.WakerInterrupt, 0, 0, 0),
	))
	if s.bursts.PeakCPUMicroseconds != 70_000 {
		t.Errorf("%d", s.bursts.PeakCPUMicroseconds)
	}
}
