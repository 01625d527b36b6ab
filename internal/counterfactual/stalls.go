// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"math"
	"sort"
)

// stalled is a time in which a quota held the container, up to a refill.
type stalled struct{ from, to int64 }

// stalledTimes are the stalls in the recording: each ends at a refill and lasted
// as long as the activation that was held the longest before it.
func (w *workload) stalledTimes() []stalled {
	b := w.busiest()
	if b == nil || b.next == 0 {
		return nil
	}
	held := map[int64]int64{}
	for i := range w.acts {
		a := &w.acts[i]
		if a.parked < 1_000_000 {
			continue
		}
		first := (a.woken-b.next)/b.period + 1
		if a.woken < b.next {
			first = 0
		}
		last := (a.ended - b.next) / b.period
		if a.ended < b.next || last < first {
			continue
		}
		each := min(a.parked/(last-first+1), b.period)
		for k := first; k <= last; k++ {
			held[k] = max(held[k], each)
		}
	}
	var list []stalled
	for k, d := range held {
		end := b.next + k*b.period
		list = append(list, stalled{end - d, end})
	}
	sort.Slice(list, func(a, b int) bool { return list[a].from < list[b].from })
	return list
}

// busiest is the level that held the container the most in the recording.
func (w *workload) busiest() *bound {
	var most *bound
	for i := range w.bounds {
		if most == nil || w.bounds[i].share > most.share {
			most = &w.bounds[i]
		}
	}
	return most
}

// weigh decides on the streams that their own steps do not tell open from closed:
// whoever waits for an answer asks for nothing while the container stands still,
// and whoever does not wait does. What came during the stalls is compared with
// what comes at other times.
func (w *workload) weigh(streams []*stream) {
	var doubt []*stream
	for _, s := range streams {
		if s.verdict == unsure && len(s.steps) >= few && !s.shared {
			doubt = append(doubt, s)
		}
	}
	stalls := w.stalls
	if len(doubt) == 0 || len(stalls) < few {
		return
	}
	e := w.examine(doubt, stalls)
	if e.open <= 0 {
		return
	}
	w.kappa, w.kappaClosed, w.kappaErr = e.came/e.open, e.closed/e.open, e.err/e.open
	if w.kappaClosed > alike {
		return
	}
	between := (1 + w.kappaClosed + tooFew) / 2
	z := (w.kappa - between) / max(w.kappaErr, 0.1)
	decide(doubt, z)
}

// decide on streams in doubt, by how many standard errors more came than the mean
// of what either reading expects.
func decide(doubt []*stream, z float64) {
	for _, s := range doubt {
		switch {
		case z > sure:
			s.verdict = open
		case z < -sure:
			s.verdict = closed
		case z > 1 || len(doubt) == 1 && z > 0:
			s.likely = open
		case z < -1:
			s.likely = closed
		}
	}
}

// alike is how much of the work that an open stream brings a closed one may bring
// in the same stalls for the two to be the same thing.
const (
	alike = 0.8
	// tooFew is what the expectation for closed streams of several clients lacks, on
	// average of played programs and of recordings (TestTheModelOnItself).
	tooFew = 0.15
	// sure is how many standard errors leave no doubt.
	sure = 3
)

// exam is CPU time (ns) that came in stalls: as recorded, and as it would have if
// all streams were open or closed, and the standard error of what came.
type exam struct{ came, open, closed, err float64 }

func (w *workload) examine(doubt []*stream, stalls []stalled) exam {
	var e exam
	var total, squares, pause float64
	var pauses int
	life := &survival{}
	for _, s := range doubt {
		for _, i := range s.acts {
			a := &w.acts[i]
			total += float64(a.cpu)
			squares += float64(a.cpu) * float64(a.cpu)
		}
		w.live(life, s, stalls)
		for _, g := range s.gaps {
			if g >= 0 {
				pause += float64(g)
				pauses++
			}
		}
	}
	life.ready()
	for _, s := range doubt {
		for _, i := range s.acts {
			a := &w.acts[i]
			k := inStall(stalls, a)
			if k < 0 {
				continue
			}
			if a.woken >= stalls[k].from {
				e.came += float64(a.cpu)
				e.err += float64(a.cpu) * float64(a.cpu)
				continue
			}
			done := min(stalls[k].from-a.woken, a.cpu)
			more := float64(a.cpu-done) - life.rest(float64(done))
			e.came += more
			e.err += more * more
		}
	}
	pause /= float64(max(pauses, 1))
	var expected float64
	for _, s := range stalls {
		d := float64(s.to - s.from)
		expected += squares / float64(w.span) * d
		e.open += total / float64(w.span) * d
		e.closed += float64(len(doubt)-1) * life.rest(0) * (1 - math.Exp(-d/max(pause, 1)))
	}
	// That nothing came tells nothing where nothing was due: the error is at least that
	// of what was.
	e.err = math.Sqrt(max(e.err, expected))
	return e
}

// inStall is the first stall that an activation was held in, -1 if none.
func inStall(stalls []stalled, a *activation) int {
	if a.parked < 1_000_000 {
		return -1
	}
	k := sort.Search(len(stalls), func(k int) bool { return stalls[k].to > a.woken })
	if k == len(stalls) || a.ended < stalls[k].to {
		return -1
	}
	return k
}
