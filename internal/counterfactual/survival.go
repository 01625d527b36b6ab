// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"cmp"
	"slices"
	"sort"
)

// survival estimates how much CPU time a job takes from jobs of which some are
// known only up to a point (Kaplan and Meier's estimator).
type survival struct {
	items []life
	left  []float64 // share that goes on beyond items[i]
	mean  float64
	ended int
}

type life struct {
	cpu  float64
	ends bool // it ended there; else it went on
}

func (s *survival) add(cpu int64, ends bool) {
	s.items = append(s.items, life{float64(cpu), ends})
}

// ready computes the estimate.
func (s *survival) ready() {
	slices.SortFunc(s.items, func(a, b life) int { return cmp.Compare(a.cpu, b.cpu) })
	s.left = make([]float64, len(s.items))
	share, at := 1.0, 0.0
	var sum float64
	for i, l := range s.items {
		s.mean += share * (l.cpu - at)
		at = l.cpu
		sum += l.cpu
		if l.ends {
			share *= 1 - 1/float64(len(s.items)-i)
			s.ended++
		}
		s.left[i] = share
	}
	if share > 0 && s.ended > 0 {
		s.mean += share * sum / float64(s.ended) // the tail beyond what was seen: exponential
	}
}

// rest is how much longer than cpu a job takes on average that has taken so much.
func (s *survival) rest(cpu float64) float64 {
	if len(s.items) == 0 {
		return 0
	}
	i := sort.Search(len(s.items), func(i int) bool { return s.items[i].cpu > cpu })
	share := 1.0
	if i > 0 {
		share = s.left[i-1]
	}
	if share < 0.02 {
		return s.mean
	}
	var area float64
	at, now := cpu, share
	for ; i < len(s.items); i++ {
		area += now * (s.items[i].cpu - at)
		at, now = s.items[i].cpu, s.left[i]
	}
	return (area + now*s.mean) / share
}
