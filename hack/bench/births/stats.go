// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"slices"
	"time"
)

func wall(b birth) float64 { return float64(b.Took) }

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func mean(all []float64) float64 {
	sum := 0.0
	for _, v := range all {
		sum += v
	}
	return sum / float64(max(1, len(all)))
}

func values(births []birth, of func(birth) float64) []float64 {
	all := make([]float64, len(births))
	for i, b := range births {
		all[i] = of(b)
	}
	return all
}

// pair is two neighboring blocks.
type pair struct{ without, with block }

// pairsOf are the neighbors of which one has the observer and one has not, and those
// that both have none: what these differ by is noise. Each block is in one pair of a kind.
func pairsOf(blocks []block) (measured, null []pair) {
	for i := 1; i < len(blocks); i++ {
		a, b := blocks[i-1], blocks[i]
		switch {
		case !a.On && b.On && i%2 == 1:
			measured = append(measured, pair{a, b})
		case a.On && !b.On && i%2 == 1:
			measured = append(measured, pair{b, a})
		case !a.On && !b.On && len(null)%2 == 0: // neither is always the first
			null = append(null, pair{a, b})
		case !a.On && !b.On:
			null = append(null, pair{b, a})
		}
	}
	return measured, null
}

// of are all births of one side of pairs.
func of(pairs []pair, with bool) (all []birth) {
	for _, p := range pairs {
		if with {
			all = append(all, p.with.Births...)
		} else {
			all = append(all, p.without.Births...)
		}
	}
	return all
}

// statistic is what is told of pairs.
type statistic func([]pair) float64

// ratioOfMedians is how many times as long the births with the observer took.
func ratioOfMedians(pairs []pair) float64 {
	return median(values(of(pairs, true), wall)) / median(values(of(pairs, false), wall))
}

// ratioOfPairs is the median of what each pair says by itself: what changes slowly on
// the machine is on both sides of one.
func ratioOfPairs(pairs []pair) float64 {
	all := make([]float64, len(pairs))
	for i, p := range pairs {
		all[i] = median(values(p.with.Births, wall)) / median(values(p.without.Births, wall))
	}
	return median(all)
}

// difference is how much more of something a birth with the observer takes on average.
func difference(what func(birth) float64) statistic {
	return func(pairs []pair) float64 {
		return mean(values(of(pairs, true), what)) - mean(values(of(pairs, false), what))
	}
}

// interval is where a statistic lies in 95 of 100 resamplings of the pairs, and of the
// births in each block of them (from a fixed seed).
func interval(pairs []pair, s statistic) (low, high float64) {
	const rounds = 2000
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]float64, rounds)
	for i := range all {
		drawn := make([]pair, len(pairs))
		for j := range drawn {
			p := pairs[random.IntN(len(pairs))]
			drawn[j] = pair{redrawn(random, p.without), redrawn(random, p.with)}
		}
		all[i] = s(drawn)
	}
	slices.Sort(all)
	return all[rounds*25/1000], all[rounds*975/1000]
}

func redrawn(random *rand.Rand, b block) block {
	out := block{On: b.On, Births: make([]birth, len(b.Births))}
	for i := range out.Births {
		out.Births[i] = b.Births[random.IntN(len(b.Births))]
	}
	return out
}

func milliseconds(ns float64) time.Duration {
	return time.Duration(ns).Round(100 * time.Microsecond)
}
