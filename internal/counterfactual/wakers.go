// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// build turns bursts into jobs: each gets what releases it.
func (w *workload) build() {
	jobs := make([]job, len(w.bursts))
	for i := range w.bursts {
		jobs[i] = w.job(i)
	}
	w.speeds(jobs)
	w.activate(jobs)
	w.stalls = w.stalledTimes()
	streams := w.streams()
	for _, s := range streams {
		w.judge(s)
	}
	w.weigh(streams)
	w.judged = streams
	w.plan = w.planned(jobs, streams, false)
	w.closed = w.closedShare(w.plan.jobs)
	for _, s := range streams {
		if s.verdict == unsure && len(s.steps) > 0 {
			w.others = append(w.others, w.planned(jobs, streams, true))
			break
		}
	}
	if w.taken > takenMuch {
		for i := range jobs {
			jobs[i].speed = 1
		}
		w.others = append(w.others, w.planned(jobs, streams, false))
	}
}

// takenMuch is the part of the container's CPU time that others took from which on
// the interval covers that they do not.
const takenMuch = 0.1

// planned applies the verdicts. Streams in doubt are what is likely, or the
// contrary if turned.
func (w *workload) planned(known []job, streams []*stream, turned bool) *plan {
	jobs := append([]job(nil), known...)
	type loop struct {
		last, first int
		gap         int64
	}
	var loops []loop
	for _, s := range streams {
		switch {
		case s.verdict == closed || s.verdict == unsure && (s.likely == closed) != turned:
			if last, first, gap := w.close(jobs, s); last >= 0 {
				loops = append(loops, loop{last, first, gap})
			}
		case s.verdict == grid:
			jobs = w.tick(jobs, s)
		default:
			jobs = w.unstack(jobs, s)
		}
	}
	p := newPlan(jobs, len(w.first)-1)
	for _, l := range loops {
		p.repeat(l.last, l.first, l.gap)
	}
	w.loops(p)
	return p
}

// close lets the activations of a stream follow one another. It returns the last
// job and the first one, that follows it after a usual pause.
func (w *workload) close(jobs []job, s *stream) (last, first int, gap int64) {
	var gaps []int64
	for k, g := range s.gaps {
		if g < 0 {
			continue
		}
		j := &jobs[w.acts[s.acts[k+1]].first]
		j.kind, j.cause, j.when = after, int32(w.acts[s.acts[k]].answer), g
		gaps = append(gaps, g)
	}
	if len(gaps) == 0 {
		return -1, -1, 0
	}
	gaps = sorted(gaps)
	return w.acts[s.acts[len(s.acts)-1]].answer, w.acts[s.acts[0]].first, gaps[len(gaps)/2]
}

// closedShare is the share of the CPU time that moves with completions.
func (w *workload) closedShare(jobs []job) float64 {
	var closed, total int64
	for i := range jobs {
		total += jobs[i].cpu
		if w.moves(jobs, i) {
			closed += jobs[i].cpu
		}
	}
	return float64(closed) / float64(max(total, 1))
}

// moves is true if a job follows a completion, itself or what caused it.
func (w *workload) moves(jobs []job, i int) bool {
	for n := 0; n < deep && (jobs[i].kind == within || jobs[i].goesOn); n++ {
		i = int(jobs[i].cause)
	}
	return jobs[i].kind == after
}

// loops lets threads that never sleep go on beyond what was recorded of them.
func (w *workload) loops(p *plan) {
	for t := range len(w.first) - 1 {
		last := w.first[t+1] - 1
		first := last
		for first > w.first[t] && w.bursts[first-1].GoesOn {
			first--
		}
		if w.bursts[last].GoesOn && int64(w.bursts[last].Ended-w.bursts[first].Woken) > w.span*9/10 {
			p.repeat(last, first, 0)
		}
	}
}

// job is a burst with what its waker alone tells of its release.
func (w *workload) job(i int) job {
	b := &w.bursts[i]
	cpu := max(int64(b.CPU), least)
	j := job{cpu: cpu, thread: w.thread[i], speed: 1}
	j.when = int64(b.Woken - min(b.Woken, w.from))
	j.serves = b.Waker == event.WakerInterrupt || b.Waker == event.WakerOutside
	if i > w.first[j.thread] && w.bursts[i-1].GoesOn {
		j.kind, j.cause, j.when, j.serves, j.goesOn = after, int32(i-1), 0, false, true
		return j
	}
	if b.Waker != event.WakerOwn && b.Waker != event.WakerBorn {
		return j
	}
	c := w.during(b.WakerTID, b.Woken)
	if c < 0 || c == i {
		return j
	}
	j.kind, j.cause = within, int32(c)
	j.when = progress(&w.bursts[c], b.Woken)
	return j
}

// progress is how much of its CPU time a burst had been charged at a time. It is
// not recorded when a burst was held; it is taken to be even.
func progress(b *event.Burst, at uint64) int64 {
	long := b.Ended - b.Woken
	if long == 0 || at <= b.Woken {
		return 0
	}
	return int64(float64(b.CPU) * float64(at-b.Woken) / float64(long))
}
