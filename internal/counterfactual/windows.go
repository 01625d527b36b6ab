// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// often is the part of the windows like the recorded one that have to meet the
// target for a limit to be the best: with random arrivals, one that meets it in the
// recording misses it in about every third window after that.
const often = 0.9

// heldFor is an activation that a quota held.
type heldFor struct {
	period int
	stall  int64
}

// slots is a replay by period: the throttled ones and the activations that came,
// summed up, and the stalls, the longest first.
type slots struct {
	hits, served []int
	held         []heldFor
}

func (o *outcome) slots(marks []mark) slots {
	n := len(marks)
	s := slots{hits: make([]int, n+1), served: make([]int, n+1)}
	k := 0
	for i, at := range o.cameAt { // rising
		for k < n-1 && marks[k].at <= at {
			k++
		}
		s.served[k+1]++
		if o.byCame[i] > 0 {
			s.held = append(s.held, heldFor{k, o.byCame[i]})
		}
	}
	for k := range marks {
		s.hits[k+1] += s.hits[k]
		s.served[k+1] += s.served[k]
		if marks[k].throttled {
			s.hits[k+1]++
		}
	}
	slices.SortFunc(s.held, func(a, b heldFor) int {
		return cmp.Or(cmp.Compare(b.stall, a.stall), cmp.Compare(a.period, b.period))
	})
	return s
}

// usually is what the throttled share and the 99th percentile of the stalls stay
// within in nine of ten windows that are made of blocks of the replay's periods. As
// the recording is a sample, and a later window is another, these are shorter than
// either: their spread is that of the difference.
func (w *workload) usually(o *outcome) (throttled float64, stall time.Duration) {
	throttled, stall = w.within(o, often)
	// What the recording itself does not meet is not met.
	return max(share(o.worst()), throttled), max(o.stall(0.99), stall)
}

// within is what such a part of the windows stays within.
func (w *workload) within(o *outcome, part float64) (throttled float64, stall time.Duration) {
	marks := o.worst()
	n := len(marks)
	if n == 0 {
		return 0, o.stall(0.99)
	}
	s := o.slots(marks)
	block := blockOf(n)
	blocks := max(1, int(math.Ceil(float64(n)/(1+w.recordedPerHorizon())/float64(block))))
	rng := rand.New(rand.NewPCG(w.config.Seed, uint64(n)))
	times := make([]int, n)
	shares, stalls := make([]float64, w.config.Resamples), make([]int64, w.config.Resamples)
	for i := range shares {
		clear(times)
		hits, served := 0, 0
		for range blocks {
			at := rng.IntN(n - block + 1)
			hits += s.hits[at+block] - s.hits[at]
			served += s.served[at+block] - s.served[at]
			for k := at; k < at+block; k++ {
				times[k]++
			}
		}
		shares[i] = float64(hits) / float64(blocks*block)
		stalls[i] = s.stall(times, served)
	}
	slices.Sort(shares)
	slices.Sort(stalls)
	at := int(math.Ceil(part*float64(len(shares)))) - 1
	return shares[at], time.Duration(stalls[at])
}

// stall is the 99th percentile in a window of so many activations, in which each
// period occurs so many times.
func (s *slots) stall(times []int, served int) int64 {
	above := served - int(0.99*float64(served))
	for _, h := range s.held {
		if above -= times[h.period]; above <= 0 && times[h.period] > 0 {
			return h.stall
		}
	}
	return 0
}

// blockOf is how many of n periods stay together when they are resampled: what
// happens in one depends on what happened in those before.
func blockOf(n int) int { return max(1, min(10, n/8)) }
