// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

const (
	// modelError of the throttled share, beyond the spread of the load.
	modelError = 0.02
	// scaleError is by how much the model's demand may be off the real one.
	scaleError = 0.03
	// mostly is the share of the CPU time in loops from which on a container that is
	// always throttled is known: a loop wants no more than to go round.
	mostly = 0.9
)

// point is one replay at a quota, with what its interval needs.
type point struct {
	Prediction
	marks []mark
	// other marks under the workload's other readings, and the upper bound of the
	// stall's percentile under all.
	other [][]mark
	stall time.Duration
}

// at replays at one quota.
func (w *workload) at(quota, burst int64) point {
	o := w.replay(w.plan, quota, burst)
	marks := o.worst()
	p := point{marks: marks, Prediction: Prediction{
		Quota: uint64(quota), Throttled: share(marks), Periods: len(marks),
		StallP50: o.stall(0.50), StallP99: o.stall(0.99),
	}}
	p.ThrottledP90, p.StallP99P90 = w.usually(&o)
	p.stall = o.stallHigh()
	p.Usage = float64(o.used) / float64(max(o.span, 1))
	for _, plan := range w.others {
		o := w.replay(plan, quota, burst)
		p.other = append(p.other, o.worst())
		p.stall = max(p.stall, o.stallHigh())
	}
	return p
}

// predict is the prediction at one quota.
func (w *workload) predict(quota uint64, burst int64) Prediction {
	p := w.at(int64(quota), burst)
	if quota == 0 || len(w.bounds) == 0 {
		p.StallP99High = p.StallP99
		return p.Prediction
	}
	less := w.at(int64(float64(quota)*(1-scaleError)), burst)
	more := w.at(int64(float64(quota)*(1+scaleError)), burst)
	w.widen(&p, less.Throttled, more.Throttled, less.StallP99)
	return p.Prediction
}

// widen sets the interval of a point: what resampling gives, moved to the shares
// at a little less and a little more quota, and the model's own error.
func (w *workload) widen(p *point, less, more float64, stall time.Duration) {
	low, high := w.spread(p.marks)
	for _, marks := range p.other {
		l, h := w.spread(marks)
		low, high = min(low, l), max(high, h)
	}
	p.Low = max(0, low-max(0, p.Throttled-more)-modelError)
	p.High = min(1, high+max(0, less-p.Throttled)+modelError)
	if w.saturated && w.closed < mostly {
		p.High = 1 // what it wants beyond what it got is not known
	}
	p.StallP99High = max(p.StallP99, stall, p.stall)
}

// spread resamples blocks of the replay's periods: the middle 95 % of the shares
// that a window as long as the horizon shows.
func (w *workload) spread(marks []mark) (low, high float64) {
	n := len(marks)
	if n == 0 {
		return 0, 0
	}
	block := blockOf(n)
	rng := rand.New(rand.NewPCG(w.config.Seed, uint64(n)))
	sums := make([]int32, n+1)
	for i, m := range marks {
		sums[i+1] = sums[i]
		if m.throttled {
			sums[i+1]++
		}
	}
	shares := make([]float64, w.config.Resamples)
	for i := range shares {
		hits, all := int32(0), 0
		for all < n {
			at := rng.IntN(n - block + 1)
			hits += sums[at+block] - sums[at]
			all += block
		}
		shares[i] = float64(hits) / float64(all)
	}
	sort.Float64s(shares)
	// The recording is a sample, and so will the measurement be: their spreads add.
	center := share(marks)
	factor := math.Sqrt(1 + w.recordedPerHorizon())
	low = center + (shares[len(shares)*25/1000]-center)*factor
	high = center + (shares[len(shares)*975/1000]-center)*factor
	few, many := counted(center, float64(n))
	return max(0, min(low, few)), min(1, max(high, many))
}

// counted bounds a share of which n periods are known, by the score interval
// (Wilson 1927): what never happened in them may still happen.
func counted(share, n float64) (low, high float64) {
	const z = 1.96 // 95 %
	middle := (share + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
	return middle - half, middle + half
}

// recordedPerHorizon is how much longer the recording is than the measurement
// that it predicts.
func (w *workload) recordedPerHorizon() float64 {
	if w.config.Horizon <= 0 {
		return 1
	}
	return float64(time.Duration(w.span)) / float64(w.config.Horizon)
}
