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
	jobs[a.first].cpu = max(a.cpu-extra, least)
	for i := a.first + 1; i <= a.last; i++ {
		jobs[i].cpu = least
	}
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

// tick gives a stream on a grid the wakes that it missed while it was held.
func (w *workload) tick(jobs []job, s *stream) []job {
	if !s.drops {
		return w.unstack(jobs, s)
	}
	for k, d := range s.steps {
		n := int64(math.Round(float64(d) / float64(s.period)))
		a := &w.acts[s.acts[k]]
		if a.first != a.last {
			continue
		}
		for m := int64(1); m < n; m++ {
			extra := jobs[a.first]
			extra.kind, extra.when, extra.lapses = atTime, a.woken+m*s.period, true
			jobs = append(jobs, extra)
		}
	}
	for _, i := range s.acts {
		jobs[w.acts[i].first].lapses = true
	}
	return jobs
}
