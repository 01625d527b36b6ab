// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"cmp"
	"slices"
	"sort"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// crowd is how much CPU time a ready thread of the container would have had up to
// a time if nobody else ran on the node: all of it while there are no more ready
// threads than CPUs, a fair part of it else. What a burst got less than that, others
// took.
type crowd struct {
	times []int64
	sum   []float64 // up to times[i]
	part  []float64 // from times[i] on, per time
}

// newCrowd counts the ready threads of a recording.
func (w *workload) newCrowd() *crowd {
	type change struct {
		at int64
		by int
	}
	changes := make([]change, 0, 2*len(w.bursts))
	for i := range w.bursts {
		b := &w.bursts[i]
		changes = append(changes, change{w.rel(b.Woken), 1}, change{w.rel(b.Ended), -1})
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	c := &crowd{}
	n, at, sum := 0, int64(0), 0.0
	for _, e := range changes {
		part := min(1, float64(w.cpus)/float64(max(n, 1)))
		sum += part * float64(e.at-at)
		at, n = e.at, n+e.by
		c.times, c.sum = append(c.times, at), append(c.sum, sum)
		c.part = append(c.part, min(1, float64(w.cpus)/float64(max(n, 1))))
	}
	return c
}

// upTo is the CPU time up to a time.
func (c *crowd) upTo(t int64) float64 {
	i := sort.Search(len(c.times), func(i int) bool { return c.times[i] > t }) - 1
	if i < 0 {
		return 0
	}
	return c.sum[i] + c.part[i]*float64(t-c.times[i])
}

// noise is what a burst may lack of its part without anybody having taken it: a
// wake takes some microseconds, and so does an interrupt.
const noise = 0.97

// speeds sets for each job which part of the time that it has a CPU others leave
// to it. While a quota holds a thread nobody takes anything from it. What threads of
// its own cgroup took of its time the replay takes again, unless they met on one CPU
// because others had the rest.
func (w *workload) speeds(jobs []job) {
	c := w.newCrowd()
	if w.taken = w.slow(jobs, c, w.foreign); w.taken > takenMuch {
		w.taken = w.slow(jobs, c, func(b *event.Burst) float64 { return float64(b.Queued) })
	}
}

// slow sets the speeds by the most that others can have taken of each burst's time
// (ns), and returns which part of all CPU time they took.
func (w *workload) slow(jobs []job, c *crowd, most func(*event.Burst) float64) float64 {
	var got, lost float64
	for i := range w.bursts {
		b := &w.bursts[i]
		from, to := w.rel(b.Woken), w.rel(b.Ended)
		due := c.upTo(to) - c.upTo(from)
		if to > from {
			due *= 1 - min(1, float64(b.Parked)/float64(to-from))
		}
		due = min(due, float64(jobs[i].cpu)+most(b))
		jobs[i].speed = 1
		got += float64(jobs[i].cpu)
		if s := float64(jobs[i].cpu) / due; due > 0 && s < noise {
			jobs[i].speed = float32(max(s, 0.01))
			lost += due - float64(jobs[i].cpu)
		}
	}
	return lost / max(got+lost, 1)
}

// foreign is the most that other cgroups can have taken of a burst's time (ns).
func (w *workload) foreign(b *event.Burst) float64 {
	if b.Preemptor == w.cgroup && b.Preemptor != 0 {
		return float64(b.Queued - min(b.Queued, b.PreemptorTime))
	}
	return float64(b.Queued)
}
