// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"cmp"
	"slices"
)

// handsOut is how many times its own CPU time a stream's activations have to cause for
// it to be one that hands work out: a dispatcher and its pool, a poller and its server.
const handsOut = 4

// farUp is how many wakes up the giver of a piece of work is looked for. It is deeper
// than what a stall is charged to: a runtime that hands its work from thread to thread
// makes long rows.
const farUp = 64

// given is the work that one activation of a stream handed out.
type given struct {
	act    int32
	cpu    float64
	parked int64
	until  int64   // when the last of it ended
	parts  []int32 // activations, the last to end first
}

// handOn gives work that was handed out back to the arrival that brought it. Workers
// that a quota held find what came meanwhile and go on without a sleep: the arrivals
// in between woke nobody, and it looks as if the first had brought all. How much each
// brought is not known; it is taken to be the mean where it was less, out of what is
// above the mean before.
func (w *workload) handOn(jobs []job, s *stream) []job {
	var own, all float64
	for _, i := range s.acts {
		own += float64(w.acts[i].cpu)
	}
	list := w.givenBy(jobs, s)
	for i := range list {
		all += list[i].cpu
	}
	if len(list) < few || all < handsOut*own {
		return jobs
	}
	mean := all / float64(len(list))
	for from := 0; from < len(list); {
		until, held := list[from].until, list[from].parked
		to := from + 1
		for ; to < len(list) && w.acts[list[to].act].woken < until; to++ {
			until, held = max(until, list[to].until), held+list[to].parked
		}
		if to-from > 1 && held > heldAtAll {
			jobs = w.evenOut(jobs, list[from:to], mean)
		}
		from = to
	}
	return jobs
}

// heldAtAll is the time (ns) for which a quota holds what it holds at all.
const heldAtAll = 1_000_000

// givenBy is what each activation of a stream handed out.
func (w *workload) givenBy(jobs []job, s *stream) []given {
	giver := w.givers(jobs)
	at := map[int32]int{}
	list := make([]given, len(s.acts))
	for k, i := range s.acts {
		list[k] = given{act: i, until: w.acts[i].ended}
		at[i] = k
	}
	for i := range w.acts {
		k, ok := at[giver[i]]
		if !ok || int32(i) == list[k].act {
			continue
		}
		g, a := &list[k], &w.acts[i]
		g.cpu += float64(a.cpu)
		g.parked += a.parked
		g.until = max(g.until, a.ended)
		g.parts = append(g.parts, int32(i))
	}
	for k := range list {
		slices.SortFunc(list[k].parts, func(a, b int32) int {
			return cmp.Or(cmp.Compare(w.acts[b].ended, w.acts[a].ended), cmp.Compare(a, b))
		})
	}
	return list
}

// givers are the activations from outside that led to each activation, -1 for none. A
// thread that a runtime's watchman woke goes on with what it had before.
func (w *workload) givers(jobs []job) []int32 {
	if w.giver != nil {
		return w.giver
	}
	w.giver = make([]int32, len(w.acts))
	for i := range w.acts {
		w.giver[i] = -1
	}
	order := make([]int32, len(w.acts))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(w.acts[a].woken, w.acts[b].woken), cmp.Compare(a, b)) })
	for _, i := range order {
		w.giver[i] = w.giverOf(jobs, i)
	}
	return w.giver
}

// giverOf is the giver of one activation; those of all before it are known.
func (w *workload) giverOf(jobs []job, i int32) int32 {
	up := i
	for n := 0; n < farUp && jobs[w.acts[up].first].kind == within; n++ {
		up = w.of[jobs[w.acts[up].first].cause]
	}
	b := &w.bursts[w.acts[up].first]
	if jobs[w.acts[up].first].kind != within && w.acts[up].serves && !w.runtime(b) {
		return up
	}
	if up == i {
		return -1
	}
	if i > 0 && w.thread[w.acts[i-1].first] == w.thread[w.acts[i].first] {
		return w.giver[i-1]
	}
	return -1
}

// evenOut moves work among the arrivals of one time without a rest.
func (w *workload) evenOut(jobs []job, list []given, mean float64) []job {
	for k := len(list) - 1; k > 0; k-- {
		need := mean - list[k].cpu
		for i := k - 1; i >= 0 && need >= least; i-- {
			spare := min(need, list[i].cpu-mean)
			for _, part := range list[i].parts {
				if spare < least {
					break
				}
				var moved float64
				jobs, moved = w.move(jobs, part, list[k].act, spare)
				list[i].cpu -= moved
				list[k].cpu += moved
				spare -= moved
				need -= moved
			}
		}
	}
	return jobs
}

// move lets up to so much of an activation's work, of what it did after another
// arrival, be released by that.
func (w *workload) move(jobs []job, part, to int32, most float64) ([]job, float64) {
	a, came := &w.acts[part], w.acts[to].woken
	if a.ended <= came {
		return jobs, 0
	}
	var left int64
	for i := a.first; i <= a.last; i++ {
		left += jobs[i].cpu - least
	}
	most = min(most, float64(left), float64(a.cpu)*float64(a.ended-max(came, a.woken))/float64(a.ended-a.woken))
	if most < least {
		return jobs, 0
	}
	piece := job{cpu: int64(most), speed: jobs[a.last].speed, thread: jobs[a.first].thread, kind: within, cause: int32(w.acts[to].last)}
	piece.when = jobs[piece.cause].cpu
	rest := piece.cpu
	for i := a.last; i >= a.first && rest > 0; i-- {
		d := min(rest, jobs[i].cpu-least)
		jobs[i].cpu -= d
		rest -= d
	}
	return append(jobs, piece), most
}
