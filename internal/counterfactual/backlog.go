// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"math"
	"slices"
)

// unstack takes apart activations of an open stream that worked off what had piled
// up while a quota held them: a thread that finds more work does not sleep in
// between. What one did beyond what a job takes that has come so far, and at most
// what can have come meanwhile, comes in pieces spread over the time since it was held.
func (w *workload) unstack(jobs []job, s *stream) []job {
	life := w.lifeOf(s, w.stalls)
	if life.ended < few {
		return jobs
	}
	var rate float64
	for _, i := range s.acts {
		rate += float64(w.acts[i].cpu) / float64(w.span)
	}
	for _, i := range s.acts {
		a := &w.acts[i]
		k := inStall(w.stalls, a)
		if k < 0 || w.hasChildren(a, jobs) {
			continue
		}
		done := max(0, min(w.stalls[k].from-a.woken, a.cpu))
		extra := float64(a.cpu-done) - life.rest(float64(done))
		extra = min(extra, 2*rate*float64(a.ended-a.woken-done))
		n := int64(math.Round(extra / life.mean))
		if n < 1 {
			continue
		}
		jobs = w.peel(jobs, a, done, int64(extra), n)
	}
	return jobs
}

// peel takes extra CPU time from an activation and lets it come in n pieces.
func (w *workload) peel(jobs []job, a *activation, done, extra, n int64) []job {
	piece := jobs[a.first]
	piece.kind, piece.cpu = atTime, extra/n
	w.peelTo(jobs, a, a.cpu-extra)
	from := a.woken + done
	for k := range n {
		piece.when = from + (2*k+1)*(a.ended-from)/(2*n)
		jobs = append(jobs, piece)
	}
	return jobs
}

// lifeOf is how long the jobs of a stream are: what an activation did until a quota
// held it is a job known only up to there.
func (w *workload) lifeOf(s *stream, stalls []stalled) *survival {
	life := &survival{}
	w.live(life, s, stalls)
	life.ready()
	return life
}

func (w *workload) live(life *survival, s *stream, stalls []stalled) {
	for _, i := range s.acts {
		a := &w.acts[i]
		if k := inStall(stalls, a); k >= 0 && a.woken < stalls[k].from {
			life.add(min(stalls[k].from-a.woken, a.cpu), false)
		} else if k < 0 {
			life.add(a.cpu, true)
		}
	}
}

// hasChildren is true if the activation's progress releases others: their places
// are those of the whole.
func (w *workload) hasChildren(a *activation, jobs []job) bool {
	if w.mother == nil {
		w.mother = make([]bool, len(w.bursts))
		for i := range w.bursts {
			if jobs[i].kind == within {
				w.mother[jobs[i].cause] = true
			}
		}
	}
	return slices.Contains(w.mother[a.first:a.last+1], true)
}

// spreadOut lets the pieces of an open stream's long activations come when they
// were worked off: of a container that never caught up with what came, no more is
// known than that so much came.
func (w *workload) spreadOut(jobs []job, s *stream) {
	for _, i := range s.acts {
		w.pieces(jobs, w.acts[i].first, w.acts[i].last)
	}
}

// pieces lets the pieces of an activation come when they began.
func (w *workload) pieces(jobs []job, first, last int) {
	for i := first + 1; i <= last; i++ {
		if jobs[i].cpu > least {
			jobs[i].kind, jobs[i].when, jobs[i].goesOn = atTime, w.rel(w.bursts[i].Woken), false
		}
	}
}

// tick gives a stream on a grid the wakes that it missed while it was held: one
// that drops them does as much at each as at the others, one that does not drop
// them did in one activation what came during it.
func (w *workload) tick(jobs []job, s *stream) []job {
	for k, i := range s.acts {
		a := &w.acts[i]
		jobs[a.first].lapses = s.drops
		missed := int64(0)
		switch {
		case s.drops && k < len(s.steps):
			missed = int64(math.Round(float64(s.steps[k])/float64(s.period))) - 1
		case !s.drops:
			missed = (a.ended - a.woken) / s.period
		}
		if missed <= 0 || w.hasChildren(a, jobs) {
			continue
		}
		extra := jobs[a.first]
		extra.kind = atTime
		if !s.drops {
			extra.cpu = a.cpu / (missed + 1)
			w.peelTo(jobs, a, extra.cpu)
		} else {
			extra.cpu = a.cpu
		}
		for m := int64(1); m <= missed; m++ {
			extra.when = a.woken + m*s.period
			jobs = append(jobs, extra)
		}
	}
	return jobs
}

// peelTo leaves so much CPU time to an activation.
func (w *workload) peelTo(jobs []job, a *activation, cpu int64) {
	jobs[a.first].cpu = max(cpu, least)
	for i := a.first + 1; i <= a.last; i++ {
		jobs[i].cpu = least
	}
}
