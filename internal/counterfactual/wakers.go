// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"sort"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// build turns bursts into jobs: each gets what releases it.
func (w *workload) build() {
	jobs := make([]job, len(w.bursts))
	for i := range w.bursts {
		jobs[i] = w.job(i)
	}
	var closed, total int64
	for _, s := range w.streams(jobs) {
		if !s.closed() {
			continue
		}
		for k, i := range s.bursts {
			if c := s.cause[k]; c >= 0 {
				jobs[i].kind, jobs[i].cause = after, int32(c)
				jobs[i].when = int64(w.bursts[i].Woken - w.bursts[c].Ended)
			}
		}
	}
	for i := range jobs {
		total += jobs[i].cpu
		if w.moves(jobs, i) {
			closed += jobs[i].cpu
		}
	}
	if total > 0 {
		w.closed = float64(closed) / float64(total)
	}
	w.plan = newPlan(jobs, len(w.first)-1)
	w.loops()
}

// loops lets threads that never sleep go on beyond what was recorded of them.
func (w *workload) loops() {
	for t := range len(w.first) - 1 {
		last := w.first[t+1] - 1
		first := last
		for first > w.first[t] && w.bursts[first-1].GoesOn {
			first--
		}
		if w.bursts[last].GoesOn && int64(w.bursts[last].Ended-w.bursts[first].Woken) > w.span*9/10 {
			w.plan.repeat(last, first, 0)
		}
	}
}

// moves is true if a job follows a completion, itself or what caused it.
func (w *workload) moves(jobs []job, i int) bool {
	for n := 0; n < deep && jobs[i].kind == within; n++ {
		i = int(jobs[i].cause)
	}
	return jobs[i].kind == after
}

// job is a burst with what its waker alone tells of its release.
func (w *workload) job(i int) job {
	b := &w.bursts[i]
	cpu := max(int64(b.CPU), least)
	j := job{cpu: cpu, thread: w.thread[i], speed: speed(b, cpu)}
	j.when = int64(b.Woken - min(b.Woken, w.from))
	j.serves = b.Waker == event.WakerInterrupt || b.Waker == event.WakerOutside
	if i > w.first[j.thread] && w.bursts[i-1].GoesOn {
		j.kind, j.cause, j.when, j.serves = after, int32(i-1), 0, false
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

// speed is the part of the time on its way that a burst had a CPU: what ran
// meanwhile of other cgroups takes from it again.
func speed(b *event.Burst, cpu int64) float64 {
	foreign := int64(b.Queued)
	if b.Preemptor == 0 {
		foreign = 0
	}
	return float64(cpu) / float64(cpu+foreign)
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

// stream is a row of outside activations that one waker makes.
type stream struct {
	bursts []int // by Woken
	cause  []int // the burst whose end may have led to it, -1: none
	gaps   []float64
	steps  []float64
}

type key struct {
	waker event.Waker
	id    uint32
}

// streams groups the outside activations by who may have made them: a thread of
// another cgroup, or whatever interrupts one thread.
func (w *workload) streams(jobs []job) []*stream {
	byKey := map[key]*stream{}
	var list []*stream
	for i := range w.bursts {
		b := &w.bursts[i]
		if !jobs[i].serves {
			continue
		}
		k := key{b.Waker, b.TID}
		if b.Waker == event.WakerOutside {
			k.id = b.WakerTID
		}
		s := byKey[k]
		if s == nil {
			s = &stream{}
			byKey[k] = s
			list = append(list, s)
		}
		s.bursts = append(s.bursts, i)
	}
	for _, s := range list {
		w.causes(s)
	}
	return list
}

// causes finds for each activation of a stream the completion that may have led
// to it: the end of the activation before it.
func (w *workload) causes(s *stream) {
	sort.SliceStable(s.bursts, func(a, b int) bool {
		return w.bursts[s.bursts[a]].Woken < w.bursts[s.bursts[b]].Woken
	})
	s.cause = make([]int, len(s.bursts))
	for k, i := range s.bursts {
		s.cause[k] = -1
		if k == 0 {
			continue
		}
		before := s.bursts[k-1]
		s.steps = append(s.steps, float64(w.bursts[i].Woken-w.bursts[before].Woken))
		if w.bursts[before].Ended <= w.bursts[i].Woken {
			s.cause[k] = before
			s.gaps = append(s.gaps, float64(w.bursts[i].Woken-w.bursts[before].Ended))
		}
	}
}

// closed is true if the pauses after completions are steadier than the steps from
// one wake to the next.
func (s *stream) closed() bool {
	const few = 8
	if len(s.gaps) < few || len(s.gaps)*10 < len(s.steps)*9 {
		return false
	}
	return spread(s.gaps)*2 < spread(s.steps)
}

// spread is the distance between the quartiles.
func spread(values []float64) float64 {
	v := append([]float64(nil), values...)
	sort.Float64s(v)
	return v[len(v)*3/4] - v[len(v)/4]
}
