// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// measured is what a window at a limit showed.
type measured struct {
	quota              int64
	throttled, periods int
	stall              time.Duration
}

func (m measured) meets(t Target) bool {
	return float64(m.throttled) < t.ThrottledShare*float64(m.periods) && m.stall < t.StallP99
}

// window plays 15 s of a program, whose stalls are those of the first 10 s, as
// hack/bench/recommender measures them.
func (g program) window(quota int64, seed uint64) measured {
	const span, listened = 15_000 * ms, 10_000 * ms
	l := newLevel(quota, 100*ms, 0, 60*ms, 5*ms, 2)
	m := newMachine(newPlan(g.jobs(span, seed), g.threads), []*level{l}, 2, 4*ms, 3*ms)
	m.run(span)
	var stalls []int64
	for i, s := range m.stalls {
		if m.served[i] < listened {
			stalls = append(stalls, s)
		}
	}
	out := measured{quota: quota, periods: len(l.marks)}
	if n := len(stalls); n > 0 {
		slices.Sort(stalls)
		out.stall = time.Duration(stalls[min(n*99/100, n-1)])
	}
	for _, k := range l.marks {
		if k.throttled {
			out.throttled++
		}
	}
	return out
}

// searched is the oracle of hack/bench/recommender: the smallest limit above all
// that were found to fail, by windows at the limits recorded at and by a search. 0:
// none meets.
func (g program) searched(limits []int64, t Target) int64 {
	var all []measured
	for _, q := range limits {
		for seed := range uint64(3) {
			all = append(all, g.window(q, 50+seed))
		}
	}
	const least, most = 5 * ms, 200 * ms
	for range 12 {
		fails, meets := bracket(all, t)
		next := int64(math.Sqrt(float64(fails) * float64(meets)))
		switch {
		case meets == 0 && fails >= most*97/100:
			return 0
		case meets == 0:
			next = min(most, max(fails, least)*13/10)
		case fails == 0:
			next = max(least, meets*10/13)
		case float64(meets)/float64(fails) <= 1.05:
			return meets
		}
		all = append(all, g.window(next, 99))
	}
	_, meets := bracket(all, t)
	return meets
}

func bracket(all []measured, t Target) (fails, meets int64) {
	slices.SortStableFunc(all, func(a, b measured) int { return cmp.Compare(a.quota, b.quota) })
	for i := 0; i < len(all); {
		var sum measured
		var stalls []time.Duration
		for sum.quota = all[i].quota; i < len(all) && all[i].quota == sum.quota; i++ {
			sum.throttled, sum.periods = sum.throttled+all[i].throttled, sum.periods+all[i].periods
			stalls = append(stalls, all[i].stall)
		}
		slices.Sort(stalls)
		sum.stall = stalls[len(stalls)/2]
		switch {
		case !sum.meets(t):
			fails, meets = sum.quota, 0
		case meets == 0:
			meets = sum.quota
		}
	}
	return fails, meets
}

// met is the part of twenty later windows that meet the target.
func (g program) met(quota int64, t Target) float64 {
	n := 0
	for seed := range uint64(20) {
		if g.window(quota, 200+seed).meets(t) {
			n++
		}
	}
	return float64(n) / 20
}

// cores is what a program uses without a limit.
func (g program) cores() float64 {
	full, _ := g.play(1000*ms, 60_000*ms, 1)
	var used uint64
	for _, b := range full.Bursts {
		used += b.CPU
	}
	return float64(used) / 60e9
}
