// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// target is what a limit has to meet: the recommender's default.
type target struct {
	share float64
	stall time.Duration
}

func (t target) met(share float64, stall time.Duration) bool {
	return share < t.share && stall < t.stall
}

const (
	// step of the search: neighboring limits differ by at most this factor.
	step = 1.05
	// same is how near two limits are of which one measurement speaks for both.
	same = 1.025
	// least limit (cores) that is searched.
	least = 0.05
)

// evidence is whether a limit was measured to meet the target.
type evidence struct {
	limit float64
	met   bool
}

// judge pools the measurements of each limit: of the share the sum, of the stall
// the median.
func judge(windows []window, t target) []evidence {
	byLimit := map[float64][]window{}
	for _, w := range windows {
		byLimit[w.Limit] = append(byLimit[w.Limit], w)
	}
	var out []evidence
	for limit, all := range byLimit {
		var sum window
		var stalls []time.Duration
		for _, w := range all {
			sum.Periods += w.Periods
			sum.Throttled += w.Throttled
			stalls = append(stalls, w.StallP99)
		}
		slices.Sort(stalls)
		out = append(out, evidence{limit, t.met(sum.share(), stalls[len(stalls)/2])})
	}
	slices.SortFunc(out, func(a, b evidence) int { return cmp.Compare(a.limit, b.limit) })
	return out
}

// bracket is the greatest limit that fails and the smallest above it that meets;
// 0 where there is none. A limit that met below one that fails was luck.
func bracket(all []evidence) (fails, meets float64) {
	for _, e := range all {
		switch {
		case !e.met:
			fails, meets = e.limit, 0
		case meets == 0:
			meets = e.limit
		}
	}
	return fails, meets
}

// next is the limit to measure at next, false when the bracket is narrow enough.
// It begins beside what is known: a gallop away from it, then halves.
func next(all []evidence, most float64) (float64, bool) {
	fails, meets := bracket(all)
	switch {
	case meets == 0 && fails >= most/same:
		return 0, false // nothing meets
	case meets == 0:
		return min(most, max(fails, least)*1.3), true
	case fails == 0 && meets <= least*same:
		return 0, false // everything meets
	case fails == 0:
		return max(least, meets/1.3), true
	case meets/fails <= step*1.0001:
		return 0, false
	}
	return math.Sqrt(fails * meets), true
}

// decided is true when a measurement that goes on could hardly change its verdict
// on the share: 5 % lies outside of three standard deviations (Wilson).
func decided(throttled, periods int, share float64) bool {
	if periods < 40 {
		return false
	}
	const z = 3
	n, p := float64(periods), float64(throttled)/float64(periods)
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	spread := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return middle-spread > share
}
