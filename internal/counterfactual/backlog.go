// SPDX-License-Identifier: Apache-2.0

package counterfactual

import "math"

// unstack takes apart activations of an open stream that worked off what had piled
// up while a quota held them: a thread that finds more work does not sleep in
// between. What an activation did beyond what is usual comes in pieces, spread
// over the time from when it was held.
func (w *workload) unstack(jobs []job, s *stream) []job {
	usual, free := w.usual(s)
	if free < few {
		return jobs
	}
	for _, i := range s.acts {
		a := &w.acts[i]
		extra := int64(float64(a.cpu) - usual)
		if a.parked < 1_000_000 || a.first != a.last || float64(extra) < usual {
			continue
		}
		n := int64(math.Round(float64(extra) / usual))
		j := &jobs[a.first]
		if w.hasChildren(a.first, jobs) {
			continue
		}
		rest := j.cpu * n / (n + 1)
		j.cpu -= rest
		for k := range n {
			piece := *j
			piece.kind, piece.cpu = atTime, rest/n
			piece.when = a.woken + (k+1)*(a.ended-a.woken)/(n+1)
			jobs = append(jobs, piece)
		}
	}
	return jobs
}

// usual is the CPU time of an activation that was not held.
func (w *workload) usual(s *stream) (cpu float64, free int) {
	var sum float64
	for _, i := range s.acts {
		if w.acts[i].parked < 1_000_000 {
			sum += float64(w.acts[i].cpu)
			free++
		}
	}
	return sum / float64(max(free, 1)), free
}

// hasChildren is true if the burst's progress releases others: their places are
// those of the whole.
func (w *workload) hasChildren(burst int, jobs []job) bool {
	if w.mother == nil {
		w.mother = make([]bool, len(w.bursts))
		for i := range w.bursts {
			if jobs[i].kind == within {
				w.mother[jobs[i].cause] = true
			}
		}
	}
	return w.mother[burst]
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
