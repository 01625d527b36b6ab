// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"math"
	"slices"
	"time"
)

// warmUp is how many periods at the beginning do not count: the pool and the
// queues find their state in them.
const warmUp = 2

// outcome is what one replay gave.
type outcome struct {
	// marks of each level, without the first periods.
	marks  [][]mark
	stalls []int64 // of outside activations that were held, rising
	// byCame are the stalls of all outside activations, cameAt is when these came.
	byCame, cameAt []int64
	served         int
	used           int64
	span           int64 // that was replayed
}

// machine is ready to run a plan at a quota and a burst setting of the container's
// cgroup. Ticks come at multiples of their distance in CLOCK_MONOTONIC
// (tick_init_jiffy_update).
func (w *workload) machine(p *plan, quota, burst int64) *machine {
	tick := int64(w.config.Tick)
	m := newMachine(p, w.levels(quota, burst), w.cpus, tick, tick-int64(w.from%uint64(tick)))
	m.crowded = w.taken > crowdedFrom
	return m
}

// crowdedFrom is the part of the container's CPU time that others took from which
// on threads are taken to find no idle CPU when they are woken.
const crowdedFrom = 0.3

// replay runs a plan.
func (w *workload) replay(p *plan, quota, burst int64) outcome {
	m := w.machine(p, quota, burst)
	levels := m.levels
	span := m.run(w.span)
	o := outcome{used: m.used, span: span, served: len(m.stalls), byCame: m.stalls, cameAt: m.served}
	for _, l := range levels {
		from := 0
		for from < len(l.marks) && l.marks[from].at < l.period*warmUp {
			from++
		}
		o.marks = append(o.marks, l.marks[from:])
	}
	for _, s := range m.stalls {
		if s > 0 {
			o.stalls = append(o.stalls, s)
		}
	}
	slices.Sort(o.stalls)
	return o
}

// share of throttled marks.
func share(marks []mark) float64 {
	if len(marks) == 0 {
		return 0
	}
	n := 0
	for _, m := range marks {
		if m.throttled {
			n++
		}
	}
	return float64(n) / float64(len(marks))
}

// worst is the level with the greatest share; of equals the first.
func (o *outcome) worst() []mark {
	var marks []mark
	for i, m := range o.marks {
		if i == 0 || share(m) > share(marks) {
			marks = m
		}
	}
	return marks
}

// stall is a quantile (0..1) over all outside activations.
func (o *outcome) stall(q float64) time.Duration {
	if o.served == 0 {
		return 0
	}
	i := int(q*float64(o.served)) - (o.served - len(o.stalls))
	if i < 0 || len(o.stalls) == 0 {
		return 0
	}
	return time.Duration(o.stalls[min(i, len(o.stalls)-1)])
}

// stallHigh is an upper bound of the 99th percentile of what so few activations
// are a sample of.
func (o *outcome) stallHigh() time.Duration {
	const q, z = 0.99, 1.96
	n := float64(max(o.served, 1))
	return o.stall(min(1, q+z*math.Sqrt(q*(1-q)/n)))
}
