// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// span is a phase from one moment to another, in milliseconds, and how much of it
// lies on the critical path.
type span struct{ from, to, critical int64 }

func TestCriticalPath(t *testing.T) {
	for name, c := range map[string]struct {
		end   int64
		spans []span
	}{
		"one after the other":                         {100, []span{{0, 40, 40}, {40, 100, 60}}},
		"what ends earlier is waited for before":      {100, []span{{10, 100, 90}, {0, 60, 10}}},
		"an inner phase takes its part":               {100, []span{{0, 100, 70}, {20, 50, 30}}},
		"two inner ones, and three levels":            {100, []span{{0, 100, 40}, {10, 60, 30}, {70, 80, 10}, {20, 40, 20}}},
		"with the same bounds the later is the inner": {100, []span{{0, 100, 0}, {0, 100, 100}}},
		"a gap is nobody's":                           {100, []span{{0, 30, 30}, {60, 100, 40}}},
		"it ends before the birth does":               {100, []span{{0, 70, 70}}},
		"beyond the end nothing counts":               {100, []span{{0, 80, 80}, {80, 150, 20}}},
		"one that began in the gap and went on":       {100, []span{{0, 50, 50}, {55, 75, 15}, {70, 100, 30}}},
		"overlapping: the later one, then the rest":   {100, []span{{0, 60, 40}, {40, 100, 60}}},
		"no time, no part":                            {100, []span{{0, 100, 100}, {50, 50, 0}}},
		"none":                                        {100, nil},
	} {
		t.Run(name, func(t *testing.T) {
			const ms = 1000
			var phases []v1alpha1.Phase
			for _, s := range c.spans {
				phases = append(phases, v1alpha1.Phase{Name: fmt.Sprint(s.from, "-", s.to), StartMicroseconds: s.from * ms, DurationMicroseconds: (s.to - s.from) * ms})
			}
			markCriticalPath(phases, c.end*ms)
			for i, p := range phases {
				if p.CriticalMicroseconds != c.spans[i].critical*ms {
					t.Errorf("%s: %d µs, want %d ms", p.Name, p.CriticalMicroseconds, c.spans[i].critical)
				}
			}
		})
	}
}

// No phase has more of the critical path than it lasts, and all together not more
// than the birth.
func TestTheCriticalPathIsNoLongerThanTheBirth(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // it is to be the same each time
	for round := range 5000 {
		end := r.Int64N(20_000)
		phases := make([]v1alpha1.Phase, r.IntN(12))
		for i := range phases {
			phases[i] = v1alpha1.Phase{StartMicroseconds: r.Int64N(20_000), DurationMicroseconds: r.Int64N(12_000)}
		}
		markCriticalPath(phases, end)
		var sum int64
		for _, p := range phases {
			sum += p.CriticalMicroseconds
			if p.CriticalMicroseconds < 0 || p.CriticalMicroseconds > p.DurationMicroseconds {
				t.Fatalf("round %d: %+v", round, p)
			}
		}
		if sum > end {
			t.Fatalf("round %d: the path has %d µs, the birth %d: %+v", round, sum, end, phases)
		}
	}
}
