// SPDX-License-Identifier: Apache-2.0

package counterfactual

import "github.com/kernel-gossip/kernel-gossip/internal/event"

const (
	// throughout is the part of the recording that a thread without rest covers.
	throughout = 0.9
	// breathes is the part of its time, on a CPU and asleep, that such a thread may
	// be asleep: a runtime stops its threads for microseconds, dozens of times a
	// second, and the loop that runs on them wants the CPU all the same.
	breathes = 0.05
)

// tireless finds the threads that wanted a CPU throughout the recording: nothing
// outside of the container ever woke them, and their own wakes came at once.
func (w *workload) findTireless() {
	w.tireless = make([]bool, len(w.first)-1)
	for t := range w.tireless {
		w.tireless[t] = w.isTireless(w.bursts[w.first[t]:w.first[t+1]])
	}
}

func (w *workload) isTireless(all []event.Burst) bool {
	var ran int64
	var rests []int64
	for i := range all {
		b := &all[i]
		ran += int64(b.CPU)
		if i == 0 || all[i-1].GoesOn {
			continue
		}
		if b.Waker != event.WakerOwn && b.Waker != event.WakerNone {
			return false
		}
		rests = append(rests, int64(b.Woken-min(b.Woken, all[i-1].Ended)))
	}
	slept := int64(0)
	for _, rest := range sorted(rests)[:len(rests)-min(len(rests), max(2, len(rests)/10))] {
		slept += rest
	}
	covered := all[len(all)-1].Ended - min(all[len(all)-1].Ended, all[0].Woken)
	return int64(covered) > int64(throughout*float64(w.span)) && float64(slept) < breathes*float64(ran+slept)
}

// goesOn is true if a burst is the next piece of the one before, or would be if
// its thread had not drawn breath.
func (w *workload) goesOn(i int) bool {
	t := w.thread[i]
	return i > w.first[t] && (w.bursts[i-1].GoesOn || w.tireless[t])
}

// breathMost bounds the pause (ns) between two pieces of a loop. One that looks
// longer was its waker's: that one was held.
const breathMost = 1_000_000

// breath is the pause before a burst that goes on.
func (w *workload) breath(i int) int64 {
	before := w.bursts[i-1].Ended
	if w.bursts[i-1].GoesOn || w.bursts[i].Woken <= before {
		return 0
	}
	return min(int64(w.bursts[i].Woken-before), breathMost)
}
