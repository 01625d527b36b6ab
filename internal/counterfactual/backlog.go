// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"math"
	"math/rand/v2"
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
	piles, scale, busy := w.piles(s, life)
	// What is known of the jobs are activations, that may be several in a row: as many
	// as in a queue with one server, on average.
	mean := life.mean * (1 - min(busy, 0.9))
	rng := rand.New(rand.NewPCG(w.config.Seed, uint64(len(s.acts))))
	for _, p := range piles {
		extra := p.extra * scale
		n := int(math.Round(extra / mean))
		if n < 1 || w.hasChildren(&w.acts[p.act], jobs) {
			continue
		}
		jobs = w.peel(jobs, p, extra, n, rng)
	}
	return jobs
}

// pile is an activation that a quota held, what it had done by then, and what it
// did later beyond what was to be expected (ns of CPU time).
type pile struct {
	act   int32
	done  int64
	extra float64
}

// piles are a stream's, and the part of their extra work that can have come while
// they were held, at the rate at which the stream's work comes (CPU time per time).
func (w *workload) piles(s *stream, life *survival) (piles []pile, scale, rate float64) {
	var held, sum float64
	for _, i := range s.acts {
		a := &w.acts[i]
		k := inStall(w.stalls, a)
		if k < 0 {
			continue
		}
		held += float64(a.parked)
		done := max(0, min(w.stalls[k].from-a.woken, a.cpu))
		if extra := float64(a.cpu-done) - life.rest(float64(done)); extra > 0 {
			piles = append(piles, pile{i, done, extra})
			sum += extra
		}
	}
	rate = w.rateOf(s)
	if s.pool != nil {
		// While all are held what comes is anybody's, whoever gets it at other times.
		rate = s.pool.rate / float64(len(s.pool.streams))
	}
	return piles, min(1, rate*held/max(sum, 1)), rate
}

// rateOf is the CPU time per time of a stream.
func (w *workload) rateOf(s *stream) float64 {
	var cpu int64
	for _, i := range s.acts {
		cpu += w.acts[i].cpu
	}
	return float64(cpu) / float64(w.span)
}

// peel takes extra CPU time from an activation and lets it come in n jobs, at
// random times since it was held and of random lengths.
func (w *workload) peel(jobs []job, p pile, extra float64, n int, rng *rand.Rand) []job {
	a := &w.acts[p.act]
	parts, sum := make([]float64, n), 0.0
	for k := range parts {
		parts[k] = rng.ExpFloat64()
		sum += parts[k]
	}
	piece := jobs[a.first]
	w.peelTo(jobs, a, a.cpu-int64(extra))
	from := a.woken + p.done
	for _, part := range parts {
		piece.kind, piece.cpu = atTime, max(int64(extra*part/sum), least)
		piece.when = from + int64(rng.Float64()*float64(a.ended-from))
		jobs = append(jobs, piece)
	}
	return jobs
}

// lifeOf is how long the jobs of a stream are, and those of its pool: what an activation did until a quota
// held it is a job known only up to there.
func (w *workload) lifeOf(s *stream, stalls []stalled) *survival {
	if s.pool == nil {
		life := &survival{}
		w.live(life, s, stalls)
		life.ready()
		return life
	}
	if s.pool.life == nil {
		s.pool.life = &survival{}
		for _, one := range s.pool.streams {
			w.live(s.pool.life, one, stalls)
		}
		s.pool.life.ready()
	}
	return s.pool.life
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
