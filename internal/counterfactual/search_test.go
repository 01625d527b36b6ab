// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"slices"
	"testing"
	"time"
)

// truth is what a program meets at a quota in a minute that was not recorded.
func (g program) truth(q int64) (throttled float64, stall time.Duration) {
	const span = 60_000 * ms
	l := newLevel(q, 100*ms, 0, 60*ms, 5*ms, 2)
	m := newMachine(newPlan(g.jobs(span, 3), g.threads), []*level{l}, 2, 4*ms, 3*ms)
	m.run(span)
	o := outcome{served: len(m.stalls)}
	for _, s := range m.stalls {
		if s > 0 {
			o.stalls = append(o.stalls, s)
		}
	}
	slices.Sort(o.stalls)
	return share(l.marks), o.stall(0.99)
}

// oracle is the smallest quota that meets the target in truth.
func (g program) oracle(t Target) int64 {
	lo, hi := int64(ms), int64(210*ms)
	for hi-lo > ms {
		mid := (lo + hi) / 2
		if s, p := g.truth(mid); s < t.ThrottledShare && p < t.StallP99 {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

// TestBestLimits compares the limits found from 12 s at three limits with the
// oracle's. Some room is left for what 12 s cannot tell of the minute after.
func TestBestLimits(t *testing.T) {
	target := DefaultConfig().Target
	var over, n float64
	missed := 0
	for _, g := range programs() {
		full, _ := g.play(1000*ms, 20_000*ms, 1)
		var used uint64
		for _, b := range full.Bursts {
			used += b.CPU
		}
		oracle := g.oracle(target)
		for _, from := range []float64{1.15, 1.5, 2.2} {
			r, _ := g.play(int64(float64(used)/20*from/10), 12_000*ms, 2)
			out := Replay(r, Config{})
			if out.Best < 0 {
				t.Errorf("%s at %.2f: no limit", g.name, from)
				continue
			}
			q := int64(out.Curve[out.Best].Quota)
			s, p := g.truth(q)
			n++
			over += float64(q)/float64(oracle) - 1
			if s >= target.ThrottledShare || p >= target.StallP99+time.Millisecond {
				missed++
			}
			t.Logf("%-14s at %.2f: oracle %d ms, found %d ms: %.3f throttled, p99 %s", g.name, from, oracle/ms, q/ms, s, p)
		}
	}
	t.Logf("%.3f cores above the oracle, %d of %.0f missed", over/n, missed, n)
	if over/n > 0.12 || float64(missed) > 0.07*n {
		t.Errorf("%.3f above the oracle, %d of %.0f missed", over/n, missed, n)
	}
}
