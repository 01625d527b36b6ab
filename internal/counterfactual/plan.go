// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"cmp"
	"slices"
)

// kind of trigger that releases a job.
type kind uint8

const (
	atTime kind = iota // a fixed time
	within             // a job has made so much progress
	after              // so long after the end of a job
)

// job is one burst, or a part of one, as the replay sees it.
type job struct {
	cpu int64 // nanoseconds of CPU time
	// when: the time since the recording began, the CPU time of the cause that is
	// done, or the pause after its end.
	when   int64
	speed  float32 // CPU time per wall time while it has a CPU (0..1]
	thread int32
	// cause is the job that releases it, unless kind is atTime.
	cause int32
	kind  kind
	// serves: it is an outside activation, whose stall counts.
	serves bool
	// goesOn: it is the next piece of the activation before.
	goesOn bool
	// lapses: it does not happen if its thread is still busy then.
	lapses bool
}

// plan is a set of jobs, indexed by what releases them.
type plan struct {
	jobs    []job
	threads int
	serving int // jobs that serve
	// arrivals are the jobs with a fixed time, by time; due are those times.
	arrivals []int32
	due      []int64
	// children of job i that its progress releases are inner[innerAt[i]:innerAt[i+1]],
	// by progress; those that its end releases are outer[outerAt[i]:outerAt[i+1]].
	inner, innerAt []int32
	outer, outerAt []int32
	// again is what begins anew when a job at the end of its row is done: a loop has
	// no end, only its recording has. Empty if there is none.
	again []again
}

// again is a job that begins anew so long after the end of another; -1 for none.
type again struct {
	job int32
	gap int64
}

// repeat lets a row of jobs that follow one another begin anew after its last.
func (p *plan) repeat(last, first int32, gap int64) {
	if p.again == nil {
		p.again = make([]again, len(p.jobs))
		for i := range p.again {
			p.again[i].job = -1
		}
	}
	p.again[last] = again{first, gap}
}

// newPlan indexes jobs.
func newPlan(jobs []job, threads int) *plan {
	p := &plan{jobs: jobs, threads: threads}
	for i := range jobs {
		if jobs[i].serves {
			p.serving++
		}
		if jobs[i].kind == atTime {
			p.arrivals = append(p.arrivals, int32(i))
		}
	}
	slices.SortFunc(p.arrivals, func(a, b int32) int {
		return cmp.Or(cmp.Compare(jobs[a].when, jobs[b].when), cmp.Compare(a, b))
	})
	p.due = make([]int64, len(p.arrivals), len(p.arrivals)+1)
	for i, j := range p.arrivals {
		p.due[i] = jobs[j].when
	}
	p.due = append(p.due, never)
	p.inner, p.innerAt = index(jobs, within)
	p.outer, p.outerAt = index(jobs, after)
	return p
}

// index lists the jobs of a kind by cause, of one cause by when.
func index(jobs []job, k kind) (list, at []int32) {
	at = make([]int32, len(jobs)+1)
	for i := range jobs {
		if jobs[i].kind == k {
			at[jobs[i].cause+1]++
			list = append(list, int32(i))
		}
	}
	for i := range jobs {
		at[i+1] += at[i]
	}
	slices.SortFunc(list, func(a, b int32) int {
		x, y := &jobs[a], &jobs[b]
		return cmp.Or(cmp.Compare(x.cause, y.cause), cmp.Compare(x.when, y.when), cmp.Compare(a, b))
	})
	return list, at
}

// timer is a job that is released later.
type timer struct {
	at  int64
	job int32
	seq int32
}

// timers is a heap, the earliest first; of equals the one set first.
type timers struct {
	heap []timer
	seq  int32
}

func (t *timers) less(i, j int) bool {
	if t.heap[i].at != t.heap[j].at {
		return t.heap[i].at < t.heap[j].at
	}
	return t.heap[i].seq < t.heap[j].seq
}

func (t *timers) next() int64 {
	if len(t.heap) == 0 {
		return never
	}
	return t.heap[0].at
}

func (t *timers) push(at int64, job int32) {
	t.seq++
	t.heap = append(t.heap, timer{at, job, t.seq})
	for i := len(t.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !t.less(i, up) {
			break
		}
		t.heap[i], t.heap[up] = t.heap[up], t.heap[i]
		i = up
	}
}

func (t *timers) pop() int32 {
	top := t.heap[0].job
	n := len(t.heap) - 1
	t.heap[0] = t.heap[n]
	t.heap = t.heap[:n]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < n; c++ {
			if t.less(c, least) {
				least = c
			}
		}
		if least == i {
			return top
		}
		t.heap[i], t.heap[least] = t.heap[least], t.heap[i]
		i = least
	}
}
