// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"cmp"
	"math"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// point is one limit of a curve in numbers: percentages 0..100, times in µs.
type point struct {
	limit                int64
	throttled, low, high float64
	stall, stallHigh     float64
	// What nine of ten windows stay within.
	throttledOften, stallOften float64
	usage                      float64
}

// curve holds predictions by limit, rising.
type curve []point

// newCurve leaves out what cannot be read.
func newCurve(predicted []v1alpha1.Predicted) curve {
	var c curve
	for _, p := range predicted {
		throttled, a := percentOf(p.ThrottledPercent)
		low, b := percentOf(p.ThrottledPercentLow)
		high, d := percentOf(p.ThrottledPercentHigh)
		if !a || !b || !d || p.LimitMillicores <= 0 {
			continue
		}
		c = append(c, point{
			limit: p.LimitMillicores, throttled: throttled, low: low, high: high,
			stall: float64(p.StallP99Microseconds), stallHigh: float64(p.StallP99MicrosecondsHigh),
			throttledOften: often(p.ThrottledPercentP90, throttled), stallOften: float64(max(p.StallP99MicrosecondsP90, p.StallP99Microseconds)),
			usage: float64(p.UsageMillicores),
		})
	}
	slices.SortStableFunc(c, func(a, b point) int { return cmp.Compare(a.limit, b.limit) })
	return c
}

// often is what nine of ten windows stay within; it is left out where that is what
// is predicted.
func often(percent string, predicted float64) float64 {
	if value, known := percentOf(percent); known {
		return max(value, predicted)
	}
	return predicted
}

// smallest is the least limit from which on every point of the curve is good; 0
// if the greatest is not.
func (c curve) smallest(good func(point) bool) int64 {
	limit := int64(0)
	for i := len(c) - 1; i >= 0 && good(c[i]); i-- {
		limit = c[i].limit
	}
	return limit
}

// greatest limit of the curve, 0 without points.
func (c curve) greatest() int64 {
	if len(c) == 0 {
		return 0
	}
	return c[len(c)-1].limit
}

// usage is the most that the container would use at any limit of the curve.
func (c curve) usage() int64 {
	most := 0.0
	for _, p := range c {
		most = max(most, p.usage)
	}
	return whole(most)
}

// at is the prediction for a limit; nil outside of what the curve tells.
func (c curve) at(limit int64) *v1alpha1.Predicted {
	if p, found := c.read(limit); found {
		return p.forAPI()
	}
	return nil
}

// read is the point of a limit, between two of the curve in proportion.
func (c curve) read(limit int64) (p point, found bool) {
	i, exact := slices.BinarySearchFunc(c, limit, func(p point, l int64) int { return cmp.Compare(p.limit, l) })
	switch {
	case exact:
		return c[i], true
	case i == len(c) && i > 0 && c[i-1].throttled == 0 && c[i-1].stall == 0:
		p = c[i-1] // what nothing stops at one limit, nothing stops at a greater one
		p.limit = limit
		return p, true
	case i == 0 || i == len(c):
		return point{}, false
	}
	return between(c[i-1], c[i], limit), true
}

// near is what read is, where the points on both sides are close together: far
// apart, the share does not fall in a straight line.
func (c curve) near(limit int64) (p point, found bool) {
	const apart = 0.10
	i, exact := slices.BinarySearchFunc(c, limit, func(p point, l int64) int { return cmp.Compare(p.limit, l) })
	if !exact && i > 0 && i < len(c) && float64(c[i-1].limit) < (1-apart)*float64(c[i].limit) {
		return point{}, false
	}
	return c.read(limit)
}

func between(a, b point, limit int64) point {
	t := float64(limit-a.limit) / float64(b.limit-a.limit)
	mix := func(x, y float64) float64 { return x + t*(y-x) }
	return point{
		limit: limit, throttled: mix(a.throttled, b.throttled), low: mix(a.low, b.low), high: mix(a.high, b.high),
		stall: mix(a.stall, b.stall), stallHigh: mix(a.stallHigh, b.stallHigh), usage: mix(a.usage, b.usage),
		throttledOften: mix(a.throttledOften, b.throttledOften), stallOften: mix(a.stallOften, b.stallOften),
	}
}

func (p point) forAPI() *v1alpha1.Predicted {
	out := &v1alpha1.Predicted{
		LimitMillicores:          p.limit,
		ThrottledPercent:         oneDecimal(p.throttled),
		ThrottledPercentLow:      oneDecimal(min(p.low, p.throttled)),
		ThrottledPercentHigh:     oneDecimal(max(p.high, p.throttled)),
		StallP99Microseconds:     whole(p.stall),
		StallP99MicrosecondsHigh: whole(p.stallHigh),
		UsageMillicores:          whole(p.usage),
	}
	if often := oneDecimal(p.throttledOften); often != out.ThrottledPercent {
		out.ThrottledPercentP90 = often
	}
	if often := whole(p.stallOften); often > out.StallP99Microseconds {
		out.StallP99MicrosecondsP90 = often
	}
	return out
}

// whole rounds into a non-negative int64.
func whole(f float64) int64 {
	if f = math.Round(f); f >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(max(f, 0))
}
