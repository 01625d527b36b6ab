// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"slices"
)

// pair is two blocks that were measured about the same time.
type pair struct{ without, with block }

// groupsOf are runs of blocks of different kinds, two or three of them: each block is in
// one, and the next begins where a kind comes again.
func groupsOf(blocks []block) (groups [][]block) {
	for _, b := range blocks {
		last := len(groups) - 1
		if last < 0 || slices.ContainsFunc(groups[last], func(o block) bool { return o.kind() == b.kind() }) {
			groups = append(groups, []block{b})
			continue
		}
		groups[last] = append(groups[last], b)
	}
	return groups
}

// pairsOf are the blocks of two kinds of each group that has both.
func pairsOf(blocks []block, without, with kind) (pairs []pair) {
	for _, g := range groupsOf(blocks) {
		isOf := func(k kind) int { return slices.IndexFunc(g, func(b block) bool { return b.kind() == k }) }
		if a, b := isOf(without), isOf(with); a >= 0 && b >= 0 {
			pairs = append(pairs, pair{g[a], g[b]})
		}
	}
	return pairs
}

// noiseOf are neighbors that nobody listens to: what these differ by is noise.
func noiseOf(blocks []block) (pairs []pair) {
	for i := 1; i < len(blocks); i++ {
		a, b := blocks[i-1], blocks[i]
		if a.kind() != kindOff || b.kind() != kindOff {
			continue
		}
		if len(pairs)%2 == 1 { // neither is always the first
			a, b = b, a
		}
		pairs = append(pairs, pair{a, b})
	}
	return pairs
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

// ratioOfMedians is how many times as long the births with the listener took.
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

// ratioOfNeighbors is the median of the ratios of each birth to each of the other block
// of its pair. As with ratioOfPairs what changes slowly cancels out; and as all births
// have a say, and not only the middle one of each block, it varies less.
func ratioOfNeighbors(pairs []pair) float64 {
	return median(withEach(pairs, wall, func(with, without float64) float64 { return with / without }))
}

// moreThanNeighbors is the same of differences, in which nothing may be 0.
func moreThanNeighbors(what func(birth) float64) statistic {
	return func(pairs []pair) float64 {
		return median(withEach(pairs, what, func(with, without float64) float64 { return with - without }))
	}
}

func withEach(pairs []pair, what func(birth) float64, compare func(with, without float64) float64) (all []float64) {
	for _, p := range pairs {
		without := values(p.without.Births, what)
		for _, b := range p.with.Births {
			with := what(b)
			for _, v := range without {
				all = append(all, compare(with, v))
			}
		}
	}
	return all
}

// difference is how much more of something a birth with the listener takes, by the middle
// of both sides: a mean, or one that is trimmed.
func difference(middle func([]float64) float64, what func(birth) float64) statistic {
	return func(pairs []pair) float64 {
		return middle(values(of(pairs, true), what)) - middle(values(of(pairs, false), what))
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
	out := b
	out.Births = make([]birth, len(b.Births))
	for i := range out.Births {
		out.Births[i] = b.Births[random.IntN(len(b.Births))]
	}
	return out
}
