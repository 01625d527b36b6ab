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
)

// predict is the prediction at one quota.
func (w *workload) predict(quota uint64, burst int64) Prediction {
	o := w.replay(w.plan, int64(quota), burst)
	marks := o.worst()
	p := Prediction{
		Quota: quota, Throttled: share(marks), Periods: len(marks),
		StallP50: o.stall(0.50), StallP99: o.stall(0.99), StallP99High: o.stall(0.99),
	}
	if w.span > 0 {
		p.Usage = float64(o.used) / float64(w.span)
	}
	if quota == 0 || len(w.bounds) == 0 {
		return p
	}
	low, high := w.spread(marks)
	for _, scale := range []float64{1 - scaleError, 1 + scaleError} {
		v := w.replay(w.plan, int64(float64(quota)*scale), burst)
		m := v.worst()
		l, h := w.spread(m)
		low, high = min(low, l), max(high, h)
		p.StallP99High = max(p.StallP99High, v.stall(0.99))
	}
	p.Low = max(0, low-modelError)
	p.High = min(1, high+modelError)
	return p
}

// spread resamples blocks of the replay's periods: the middle 95 % of the shares
// that a window as long as the horizon shows.
func (w *workload) spread(marks []mark) (low, high float64) {
	n := len(marks)
	if n == 0 {
		return 0, 0
	}
	block := max(1, min(10, n/8))
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
	return max(0, low), min(1, high)
}

// recordedPerHorizon is how much longer the recording is than the measurement
// that it predicts.
func (w *workload) recordedPerHorizon() float64 {
	if w.config.Horizon <= 0 {
		return 1
	}
	return float64(time.Duration(w.span)) / float64(w.config.Horizon)
}
