// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func TestParallelThreads(t *testing.T) {
	dispatched := []event.Burst{burst(1, 10, 11, event.WakerInterrupt, 0, 0, 0)}
	for tid := uint32(2); tid < 10; tid++ {
		dispatched = append(dispatched, burst(tid, 11, 31, event.WakerOwn, 1, 0, 0))
	}
	var loops []event.Burst
	for tid := uint32(1); tid < 5; tid++ {
		loops = append(loops, goesOn(burst(tid, 0, 1000, event.WakerNone, 0, 0, 0)))
	}
	for name, test := range map[string]struct {
		bursts            []event.Burst
		parallel, looping int64
	}{
		"one thread": {[]event.Burst{burst(1, 10, 30, event.WakerInterrupt, 0, 0, 0)}, 1, 0},
		"a request handed to a worker": {[]event.Burst{
			burst(1, 10, 11, event.WakerOutside, 99, 0, 0),
			burst(2, 11, 41, event.WakerOwn, 1, 0, 0),
		}, 1, 0},
		"two requests at the same time": {[]event.Burst{
			burst(1, 10, 40, event.WakerOutside, 99, 0, 0),
			burst(2, 10, 40, event.WakerOutside, 99, 0, 0),
		}, 1, 0},
		"one after the other": {[]event.Burst{
			burst(1, 10, 40, event.WakerOutside, 99, 0, 0),
			burst(2, 40, 70, event.WakerOwn, 1, 0, 0),
		}, 1, 0},
		"divided among eight": {dispatched, 8, 0},
		"divided after a stall": {[]event.Burst{
			burst(1, 10, 100, event.WakerInterrupt, 0, 80, 0),
			burst(2, 95, 105, event.WakerOwn, 1, 0, 0),
		}, 2, 0},
		"four loops": {loops, 0, 4},
		"nothing":    {nil, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := summaryOf(recording(test.bursts...)).bursts
			if b.ParallelThreads != test.parallel || b.LoopingThreads != test.looping {
				t.Errorf("%d parallel, %d looping, want %d and %d", b.ParallelThreads, b.LoopingThreads, test.parallel, test.looping)
			}
		})
	}
}
