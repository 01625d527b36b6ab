// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"math"
	"testing"
)

// readsAt is a recording of testdata, and what it predicts for a limit (ms per period)
// beside what the kernel counted there.
func readsAt(t *testing.T, name string, limit uint64) (w *workload, predicted, counted float64) {
	t.Helper()
	r := readRecorded(t, ours+"/"+name+".json.gz")
	w = newWorkload(r.Recording, DefaultConfig().withDefaults(r.Recording))
	for _, m := range r.Measured {
		if m.Quota == limit*ms {
			return w, w.predict(m.Quota, 0).Throttled, float64(m.Throttled) / float64(m.Periods)
		}
	}
	t.Fatalf("%s was not measured at %d ms", name, limit)
	return nil, 0, 0
}

// Three threads that share two idle CPUs wait for each other: nobody else took their
// time, and the replay makes them wait once, not twice.
func TestOwnQueuesAreNobodyElses(t *testing.T) {
	if w, _, _ := readsAt(t, "timers-three-pod", 36); w.taken > 0.05 {
		t.Errorf("others are said to have taken %.2f of its time", w.taken)
	}
}

// A pool that a quota held worked off in one go what its dispatcher was sent in five
// wakes. At a limit that does not hold it each is done before the next.
func TestHandedOutBacklog(t *testing.T) {
	if _, predicted, counted := readsAt(t, "dispatched-pool-pod", 80); math.Abs(predicted-counted) > 0.05 {
		t.Errorf("predicted %.3f, counted %.3f", predicted, counted)
	}
}

// In stalls in which not one wake was due, that none came does not show a loop.
func TestNothingDueTellsNothing(t *testing.T) {
	w, predicted, counted := readsAt(t, "cron-pod", 40)
	if w.closed > 0.5 || math.Abs(predicted-counted) > 0.1 {
		t.Errorf("closed %.2f, predicted %.3f, counted %.3f; %s", w.closed, predicted, counted, w.told())
	}
}

// One thread outside asks at irregular times. Nothing tells that it waits for answers,
// so it is not taken to: at a lower limit it asks as often.
func TestAnIrregularClientIsNoLoop(t *testing.T) {
	w, predicted, counted := readsAt(t, "go-asked-pod", 40)
	if w.closed > 0.5 || math.Abs(predicted-counted) > 0.12 {
		t.Errorf("closed %.2f, predicted %.3f, counted %.3f; %s", w.closed, predicted, counted, w.told())
	}
}
