// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"sort"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	// curveMax is the most points of a curve: a whisper has 8 KiB for all it says.
	curveMax = 12
	// step that limits are rounded up to: 10 millicores of a 100 ms period.
	step = 1_000_000
	// margin above the smallest limit that meets the target in nine of ten windows: for
	// the model's own error.
	margin = 1.07
	// nearlyAlways is the share of throttled periods beyond which what is wanted is
	// not known.
	nearlyAlways = 0.95
)

// Replay finds the smallest limit that meets the target, the curve around it and
// the burst setting that would do. The limit is the smallest that meets it in nine
// of ten windows like the recorded one, and margin more.
func Replay(r event.Recording, c Config) Result {
	c = c.withDefaults(r)
	w := newWorkload(r, c)
	out := Result{Best: -1, Bursts: len(r.Bursts), Closed: w.closed, LowerBound: w.saturated && w.closed < mostly}
	if len(w.bounds) == 0 || len(w.bursts) == 0 || w.span == 0 {
		return out
	}
	s := &search{w: w, burst: ownBurst(r), seen: map[int64]bool{}}
	least, top := s.range1()
	found := s.bisect(least, top)
	best := round(int64(margin * float64(found)))
	s.curve(least, found, best, top)
	out.Curve = s.predictions()
	for i := len(out.Curve) - 1; i >= 0 && out.Curve[i].Quota >= uint64(best) && out.Curve[i].Meets(c.Target); i-- {
		out.Best = i
	}
	out.Burst, out.BurstKnown = w.leastBurst(c.Target)
	return out
}

type search struct {
	w      *workload
	burst  int64
	seen   map[int64]bool
	points []point
}

// range1 is from half of what is used without a limit to what the CPUs give.
func (s *search) range1() (least, top int64) {
	period := s.w.bounds[0].period
	free := s.w.replay(s.w.plan, 0, 0)
	used := float64(free.used) / float64(max(free.span, 1))
	least = round(int64(used / 2 * float64(period)))
	// A container cannot use more than its CPUs; with a little more nothing is held.
	top = int64(float64(s.w.cpus) * margin * float64(period))
	if m := s.w.config.MaxQuota; m > 0 {
		top = min(top, int64(m))
	}
	return least, max(round(top), least)
}

func round(quota int64) int64 { return max(step, (quota+step-1)/step*step) }

// meets is true if nine of ten windows do.
func (s *search) meets(quota int64) bool {
	o := s.w.replay(s.w.plan, quota, s.burst)
	t := s.w.config.Target
	if share(o.worst()) >= t.ThrottledShare || o.stall(0.99) >= t.StallP99 {
		return false
	}
	throttled, stall := s.w.usually(&o)
	return throttled < t.ThrottledShare && stall < t.StallP99
}

// bisect is the smallest limit that meets the target, or top.
func (s *search) bisect(least, top int64) int64 {
	lo, hi := least-step, top
	for hi-lo > max(step, hi/40) {
		mid := round((lo + hi) / 2)
		if mid >= hi {
			break
		}
		if s.meets(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

// under is where, below the smallest limit that meets the target, the curve has a
// point that does not: whoever reads the curve alone finds the margin by them.
const under = 0.93

// curve adds points from least to where nothing is throttled, dense around best.
func (s *search) curve(least, found, best, top int64) {
	s.add(best)
	s.add(found)
	if q := int64(under*float64(found)) / step * step; q >= least {
		s.add(q)
	}
	if q := s.w.bounds[0].quota; q > 0 {
		s.add(round(q))
	}
	s.add(least)
	for _, f := range []float64{0.5, 0.7, 0.8, 1.05, 1.2, 1.5, 2} {
		q := round(int64(f * float64(best)))
		if q < least || q > top {
			continue
		}
		s.add(q)
	}
}

// add replays one more point.
func (s *search) add(quota int64) {
	if s.seen[quota] || len(s.points) >= curveMax {
		return
	}
	s.seen[quota] = true
	s.points = append(s.points, s.w.at(quota, s.burst))
}

// predictions are the points by quota, with their intervals: the shares at a
// little less and a little more lie between those of their neighbors.
func (s *search) predictions() []Prediction {
	sort.Slice(s.points, func(a, b int) bool { return s.points[a].Quota < s.points[b].Quota })
	var list []Prediction
	for i := range s.points {
		p := s.points[i]
		less, more := p, p
		if i > 0 {
			less = s.points[i-1]
		}
		if i < len(s.points)-1 {
			more = s.points[i+1]
		}
		stall := p.StallP99
		if float64(less.Quota) >= float64(p.Quota)*(1-2*scaleError) {
			stall = max(stall, less.StallP99)
		}
		s.w.widen(&p, between(p, less, 1-scaleError), between(p, more, 1+scaleError), stall)
		list = append(list, p.Prediction)
	}
	return list
}

// between is the share at a multiple of p's quota, on the way to q.
func between(p, q point, scale float64) float64 {
	d := float64(q.Quota) - float64(p.Quota)
	if d == 0 {
		return p.Throttled
	}
	f := min(1, float64(p.Quota)*(scale-1)/d)
	return p.Throttled + f*(q.Throttled-p.Throttled)
}

// leastBurst is the smallest burst setting that meets the target at the present
// quota.
func (w *workload) leastBurst(t Target) (time.Duration, bool) {
	quota := w.bounds[0].quota
	if quota == 0 {
		return 0, false
	}
	meets := func(burst int64) bool {
		o := w.replay(w.plan, quota, burst)
		return share(o.worst()) < t.ThrottledShare && o.stall(0.99) < t.StallP99
	}
	if !meets(quota) {
		return 0, false
	}
	lo, hi := int64(-1), quota
	for hi-lo > step {
		mid := (lo + hi) / 2
		if meets(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return time.Duration(hi), true
}
