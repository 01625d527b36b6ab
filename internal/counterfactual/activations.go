// SPDX-License-Identifier: Apache-2.0

package counterfactual

import "github.com/kernel-gossip/kernel-gossip/internal/event"

// activation is one stretch of a thread from its wake until it blocks: one burst,
// or several pieces of one.
type activation struct {
	first, last  int // bursts
	woken, ended int64
	cpu, parked  int64
	// served is its CPU time and that of the activations that it caused.
	served int64
	// serves: an interrupt or a thread of another cgroup woke it, and it works.
	serves bool
	// answered is when the last activation ended that it caused, itself included;
	// answer is that one's last burst.
	answered int64
	answer   int
}

// works is the CPU time (ns) from which on an activation, with what it caused, may
// serve somebody. A client that takes its answer from a Unix socket wakes the thread
// that waits there for the next request, and Go's sysmon wakes itself thousands of
// times a second: beside such wakes requests would hardly count.
const works = 100_000

// activate puts the pieces of activations together, and finds out when what an
// outside one caused was done.
func (w *workload) activate(jobs []job) {
	w.of = make([]int32, len(w.bursts))
	for i := range w.bursts {
		b := &w.bursts[i]
		if n := len(w.acts); n > 0 && jobs[i].goesOn {
			a := &w.acts[n-1]
			a.last, a.ended = i, w.rel(b.Ended)
			a.cpu += jobs[i].cpu
			a.parked += int64(b.Parked)
			w.of[i] = int32(n - 1)
			continue
		}
		w.of[i] = int32(len(w.acts))
		w.acts = append(w.acts, activation{
			first: i, last: i, woken: w.rel(b.Woken), ended: w.rel(b.Ended), cpu: jobs[i].cpu, parked: int64(b.Parked),
			serves: b.Waker == event.WakerInterrupt || b.Waker == event.WakerOutside,
		})
	}
	for i := range w.acts {
		w.acts[i].answered, w.acts[i].answer = w.acts[i].ended, w.acts[i].last
	}
	for i := range w.acts {
		w.answers(jobs, i)
	}
	for i := range w.acts {
		a := &w.acts[i]
		a.serves = a.serves && a.served >= works
		jobs[a.first].serves = a.serves
	}
}

// answers tells the activations that led to this one that it is part of them.
func (w *workload) answers(jobs []job, i int) {
	a := &w.acts[i]
	a.served += a.cpu
	up := a
	for n := 0; n < deep && jobs[up.first].kind == within; n++ {
		up = &w.acts[w.of[jobs[up.first].cause]]
		up.served += a.cpu
	}
	if up != a && up.serves && a.ended > up.answered {
		up.answered, up.answer = a.ended, a.last
	}
}

// rel is a time since the recording began.
func (w *workload) rel(t uint64) int64 { return int64(t) - int64(w.from) }
