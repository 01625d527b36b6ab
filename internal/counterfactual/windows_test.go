// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"flag"
	"math"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

var tradeOff = flag.Bool("tradeoff", false, "tell what it costs to be surer that a limit meets the target")

var recordedFor = flag.Duration("recorded", 30*time.Second, "how long the recordings of -tradeoff are")

// found compares limits with the oracle's.
type found struct{ n, missed, over, met float64 }

func (f *found) add(quota, oracle int64, met float64) {
	f.n++
	f.met += met
	if float64(quota)*1.05 < float64(oracle) {
		f.missed++
		return
	}
	f.over += max(0, float64(quota)/float64(oracle)-1)
}

func (f *found) figures() (missed, over, met float64) {
	return f.missed / f.n, f.over / max(1, f.n-f.missed), f.met / f.n
}

// eachRecording plays all programs at three limits and calls with the recordings.
func eachRecording(long time.Duration, seeds uint64, call func(g program, oracle int64, r event.Recording)) {
	target := DefaultConfig().Target
	for _, g := range programs() {
		cores := g.cores()
		var limits []int64
		for _, from := range []float64{1.15, 1.5, 2.2} {
			limits = append(limits, int64(cores*from*100*ms))
		}
		oracle := g.searched(limits, target)
		if oracle == 0 {
			continue
		}
		for _, q := range limits {
			for seed := range seeds {
				r, _ := g.play(q, long.Nanoseconds(), 10+seed)
				call(g, oracle, r)
			}
		}
	}
}

// TestBestLimits holds the limits found from 30 s against windows of 15 s that come
// later, and against the oracle that is found by searching with such windows.
func TestBestLimits(t *testing.T) {
	target := DefaultConfig().Target
	var all found
	eachRecording(30*time.Second, 2, func(g program, oracle int64, r event.Recording) {
		out := Replay(r, Config{Horizon: 15 * time.Second})
		if out.Best < 0 {
			t.Errorf("%s at %d ms: no limit", g.name, r.Before[0].Quota/ms)
			return
		}
		q := int64(out.Curve[out.Best].Quota)
		met := g.met(q, target)
		all.add(q, oracle, met)
		t.Logf("%-14s at %3d ms: oracle %d ms, found %d ms: met in %.2f of windows", g.name, r.Before[0].Quota/ms, oracle/ms, q/ms, met)
	})
	missed, over, met := all.figures()
	t.Logf("%.0f recordings: %.3f missed, %.3f of cores above the oracle, %.3f of later windows met", all.n, missed, over, met)
	if missed > 0.09 || over > 0.18 || met < 0.92 {
		t.Errorf("%.3f missed, %.3f of cores above the oracle, %.3f of later windows met", missed, over, met)
	}
}

// TestTheMarginIsInTheCurve: the operator has the curve and no more, and chooses the
// smallest limit that meets the target with a little less as well.
func TestTheMarginIsInTheCurve(t *testing.T) {
	target := DefaultConfig().Target
	eachRecording(10*time.Second, 1, func(g program, _ int64, r event.Recording) {
		out := Replay(r, Config{})
		if out.Best < 2 {
			t.Errorf("%s: best is point %d", g.name, out.Best)
			return
		}
		best, found, below := out.Curve[out.Best], out.Curve[out.Best-1], out.Curve[out.Best-2]
		if q := uint64(round(int64(r.Before[0].Quota))); q == found.Quota || q == below.Quota {
			return // the present limit lies between them
		}
		less := float64(best.Quota) * 0.94
		if !found.Meets(target) || float64(found.Quota) > less || below.Meets(target) || float64(below.Quota) < 0.88*float64(found.Quota) {
			t.Errorf("%s: best %d ms, before it %d ms %v, %d ms %v", g.name, best.Quota/ms, found.Quota/ms, found.Meets(target), below.Quota/ms, below.Meets(target))
		}
	})
}

// rule to choose a limit by: at it, less a margin, such a part of the windows like
// the recorded one meets the target; 0: the recording does.
type rule struct{ part, margin float64 }

// TestTradeOff tells what being surer of the target costs (-v).
func TestTradeOff(t *testing.T) {
	if !*tradeOff {
		t.Skip("a table to choose constants by (-tradeoff); TestBestLimits tests what was chosen")
	}
	target := DefaultConfig().Target
	var rules []rule
	for _, part := range []float64{0, 0.8, 0.9, 0.95} {
		for _, margin := range []float64{1, 1.03, 1.07, 1.1, 1.15} {
			rules = append(rules, rule{part, margin})
		}
	}
	all := make([]found, len(rules))
	eachRecording(*recordedFor, 3, func(g program, oracle int64, r event.Recording) {
		w := newWorkload(r, Config{Horizon: 15 * time.Second}.withDefaults(r))
		met, found := map[int64]float64{}, map[float64]int64{}
		for i, rule := range rules {
			least, top := (&search{w: w}).range1()
			if _, known := found[rule.part]; !known {
				found[rule.part] = w.smallest(least, top, func(o *outcome) bool {
					throttled, stall := share(o.worst()), o.stall(0.99)
					if rule.part > 0 {
						throttled, stall = w.within(o, rule.part)
					}
					return throttled < target.ThrottledShare && stall < target.StallP99
				})
			}
			q := round(int64(rule.margin * float64(found[rule.part])))
			if _, known := met[q]; !known {
				met[q] = g.met(q, target)
			}
			all[i].add(q, oracle, met[q])
		}
	})
	for i, rule := range rules {
		missed, over, met := all[i].figures()
		t.Logf("| %.2f | %.2f | %.1f %% | %.1f %% | %.1f %% |", rule.part, rule.margin, 100*missed, 100*over, 100*met)
	}
}

// smallest limit from which on all are good, in steps of 2 %.
func (w *workload) smallest(least, top int64, good func(*outcome) bool) int64 {
	q := top
	for {
		next := int64(float64(q) * 0.98)
		if o := w.replay(w.plan, next, 0); next < least || !good(&o) {
			return q
		}
		q = next
	}
}

// TestOneClock: threads that one clock wakes come when it strikes, whatever they
// have not finished.
func TestOneClock(t *testing.T) {
	g := program{"one clock", "sync", 3, 800, true, 80, "fixed"}
	var off, n float64
	for seed := range uint64(8) {
		r, _ := g.play(140*ms, 10_000*ms, seed)
		w := newWorkload(r, DefaultConfig().withDefaults(r))
		_, truth := g.play(42*ms, 10_000*ms, seed)
		off += w.predict(42*ms, 0).Throttled - truth
		n++
	}
	if off = off / n; math.Abs(off) > 0.02 {
		t.Errorf("predictions are off by %+.3f on average", off)
	}
}

// TestPooledBacklog: what a pool's threads worked off in one go, because a quota
// had held them all, came one by one and would have been done at once at a higher limit.
func TestPooledBacklog(t *testing.T) {
	for _, g := range []program{
		{"pool of 12.5 ms", "pool", 4, 12.5, true, 4, "fixed"},
		{"pool of 12 ms", "pool", 4, 12, true, 4, "fixed"},
	} {
		cores, off := g.cores(), 0.0
		const seeds = 10
		for seed := range uint64(seeds) {
			r, _ := g.play(int64(cores*107*ms), 10_000*ms, 10+seed)
			w := newWorkload(r, DefaultConfig().withDefaults(r))
			q := int64(cores * 180 * ms)
			_, truth := g.play(q, 10_000*ms, 10+seed)
			off += math.Abs(w.predict(uint64(q), 0).Throttled-truth) / seeds
		}
		t.Logf("%s: off by %.3f", g.name, off)
		if off > 0.03 {
			t.Errorf("%s: predictions are off by %.3f on average", g.name, off)
		}
	}
}
