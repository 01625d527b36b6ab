// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// The glyphs of the curve tell apart what colors tell too.
const (
	glyphMeets    = "●"
	glyphMisses   = "○"
	glyphInterval = "━"
	glyphMeasured = "×"
	glyphBoth     = "⊗" // measured where it was predicted
)

// point is one limit of the curve: what is predicted there and what was measured.
type point struct {
	limit     int64
	predicted *v1alpha1.Predicted
	measured  []string // percentages
	word      string   // what the limit is
}

// curve is what other limits would have done, as far as a whisper tells.
type curve struct {
	points []point
	target *v1alpha1.Target
	top    float64 // the axis's end in percent
}

// newCurve joins the prediction with what was measured at limits of the same
// cgroup. It is empty without a prediction.
func newCurve(w *v1alpha1.KernelWhisper) curve {
	var c curve
	if w.Spec.Counterfactual == nil {
		return c
	}
	for i, x := range w.Spec.Counterfactual.Curve {
		c.points = append(c.points, point{limit: x.LimitMillicores, predicted: &w.Spec.Counterfactual.Curve[i]})
	}
	o := w.Status.Outcome
	if limit := measuredLimit(w); limit > 0 {
		at := c.at(limit)
		at.word, at.measured = "now", append(at.measured, w.Spec.KernelTruth.ThrottledPercent)
		if w.Spec.EndTime != nil || o != nil && o.LimitMillicores != limit {
			at.word = "then"
		}
	}
	if pr := w.Status.Proposal; pr != nil {
		c.target = &pr.Target
		if pr.LimitMillicores != nil {
			at := c.at(*pr.LimitMillicores)
			at.word = "proposed"
			at.predicted = cmp.Or(at.predicted, pr.Predicted)
		}
	}
	if o != nil && o.LimitMillicores > 0 {
		at := c.at(o.LimitMillicores)
		at.word, at.measured = "now", []string{o.MeasuredThrottledPercent}
		at.predicted = cmp.Or(at.predicted, o.Predicted)
	}
	slices.SortStableFunc(c.points, func(a, b point) int { return cmp.Compare(a.limit, b.limit) })
	c.top = c.axis()
	return c
}

// measuredLimit is the limit that the counters of the whisper are of, where it
// is the container's. A pod's is, if it has one container with a limit.
func measuredLimit(w *v1alpha1.KernelWhisper) int64 {
	k := &w.Spec.KernelTruth
	limit := limitMillicores(k)
	switch {
	case k.ThrottledAt == v1alpha1.ThrottledAtContainer:
		return limit
	case k.ThrottledAt == v1alpha1.ThrottledAtPod && w.Spec.Counterfactual.LimitMillicores == limit:
		return limit
	}
	return 0
}

// at is the point of a limit, a new one if there is none.
func (c *curve) at(limit int64) *point {
	i := slices.IndexFunc(c.points, func(x point) bool { return x.limit == limit })
	if i < 0 {
		i = len(c.points)
		c.points = append(c.points, point{limit: limit})
	}
	return &c.points[i]
}

// axis is the least round percentage that everything is below.
func (c *curve) axis() float64 {
	most := 0.0
	for _, x := range c.points {
		if x.predicted != nil {
			most = max(most, number(x.predicted.ThrottledPercentHigh))
		}
		for _, m := range x.measured {
			most = max(most, number(m))
		}
	}
	for _, top := range []float64{10, 20, 50} {
		if most <= top {
			return top
		}
	}
	return 100
}

// meets is true if what nine of ten windows stay within is within the target.
func (c *curve) meets(x *v1alpha1.Predicted) bool {
	return c.target == nil || number(cmp.Or(x.ThrottledPercentP90, x.ThrottledPercent)) < number(c.target.ThrottledPercent) &&
		max(x.StallP99MicrosecondsP90, x.StallP99Microseconds) < c.target.StallP99Microseconds
}

// number reads a percentage; the API's schema has checked that it is one.
func number(percent string) float64 {
	f, err := strconv.ParseFloat(percent, 64)
	if err != nil {
		return 0
	}
	return min(max(f, 0), 100)
}

// otherLimits draws the share of throttled periods against the limit.
func otherLimits(p *page, w *v1alpha1.KernelWhisper) {
	c := newCurve(w)
	if len(c.points) == 0 {
		return
	}
	cf := w.Spec.Counterfactual
	p.heading("THE SAME BURSTS AT OTHER LIMITS")
	g := newPlot(p.picture(), c.top)
	g.scale(p)
	for _, x := range c.points {
		g.row(p, &c, x)
	}
	curveLegend(p, &c)
	note(p, fmt.Sprintf("Replayed: %s within %s. %s%% of their CPU time follows the container's own completions and moves with them.",
		plural(cf.Bursts, "burst"), span(cf.RecordedMilliseconds*1000), cf.ClosedPercent))
	if doubt := c.doubt(cf.LimitMillicores); doubt != "" {
		for _, line := range wrap(doubt, p.picture()) {
			p.say(line, inWait)
		}
	}
	if cf.LowerBound {
		for _, line := range wrap("A lower bound: it was throttled nearly always, and what it wants beyond what it got is not known. Every limit here may prove too low.", p.picture()) {
			p.say(line, inWait)
		}
	}
}

// doubtful is by how many percentage points a replay may differ from what was
// measured at the very limit that was recorded, before that is said.
const doubtful = 10

// doubt says where the replay does not give what the counters showed at the
// recorded limit. Their windows differ, so that a little means nothing.
func (c *curve) doubt(recorded int64) string {
	i := slices.IndexFunc(c.points, func(x point) bool { return x.limit == recorded })
	if i < 0 || c.points[i].predicted == nil || len(c.points[i].measured) == 0 {
		return ""
	}
	predicted, measured := c.points[i].predicted.ThrottledPercent, c.points[i].measured[0]
	if math.Abs(number(predicted)-number(measured)) <= doubtful {
		return ""
	}
	return fmt.Sprintf("Take it with care: at the recorded limit of %s the replay gives %s%%, and the counters showed %s%%.", Millicores(recorded), predicted, measured)
}

func curveLegend(p *page, c *curve) {
	items := []text{{glyphMeets + " predicted", good}}
	if c.target != nil {
		items = []text{{glyphMeets + " predicted, meets the target", good}, {glyphMisses + " predicted, misses it", bad},
			{glyphGrid + " target " + c.target.ThrottledPercent + "%", dim}}
	}
	items = append(items, text{glyphInterval + glyphInterval + " interval of 95%", onCPU})
	if slices.ContainsFunc(c.points, func(x point) bool { return len(x.measured) > 0 }) {
		items = append(items, text{glyphMeasured + " measured", bold})
	}
	if slices.ContainsFunc(c.points, func(x point) bool { return x.predicted != nil && len(x.measured) > 0 }) {
		items = append(items, text{glyphBoth + " both", bold})
	}
	sideBySide(p, items)
}
