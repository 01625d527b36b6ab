// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"cmp"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// build turns bursts into jobs: each gets what releases it.
func (w *workload) build() {
	w.findTireless()
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
	w.agree(streams)
	w.together(streams)
	w.weigh(streams)
	w.judged = streams
	w.plan, w.closed = w.planned(jobs, streams, reading{spread: w.saturated})
	w.read(jobs, streams)
}

// reading is a way to take what the recording leaves open.
type reading struct {
	turned bool // streams in doubt are the contrary of what is likely
	spread bool // a backlog without an end came as evenly as it was worked off
	awake  bool // also where a thread never slept: else that is a loop without an end
}

// read adds the plans of other readings than the likely one.
func (w *workload) read(jobs []job, streams []*stream) {
	for _, s := range streams {
		if s.verdict == unsure && len(s.steps) > 0 {
			w.add(w.planned(jobs, streams, reading{turned: true, spread: w.saturated}))
			break
		}
	}
	if w.saturated && w.plan.again != nil {
		w.add(w.planned(jobs, streams, reading{spread: true, awake: true}))
	}
	if w.taken > takenMuch {
		for i := range jobs {
			jobs[i].speed = 1
		}
		w.add(w.planned(jobs, streams, reading{spread: w.saturated}))
	}
}

func (w *workload) add(p *plan, _ float64) { w.others = append(w.others, p) }

// takenMuch is the part of the container's CPU time that others took from which on
// the interval covers that they do not.
const takenMuch = 0.1

// planned applies the verdicts. It returns the plan and which share of the CPU time
// follows completions.
func (w *workload) planned(known []job, streams []*stream, r reading) (*plan, float64) {
	jobs := append([]job(nil), known...)
	type loop struct {
		last, first int
		gap         int64
	}
	var loops []loop
	for _, s := range streams {
		switch {
		case s.verdict == closed || s.verdict == unsure && (s.likely == closed) != r.turned:
			if last, first, gap := w.close(jobs, s); last >= 0 {
				loops = append(loops, loop{last, first, gap})
			}
		case s.verdict == grid:
			jobs = w.tick(jobs, s)
		default:
			jobs = w.unstack(jobs, s)
			jobs = w.handOn(jobs, s)
			if r.spread {
				w.spreadOut(jobs, s)
			}
		}
	}
	endless := w.endless()
	if r.awake {
		for _, l := range endless {
			w.pieces(jobs, l.first, l.last)
		}
		endless = nil
	}
	closed := w.closedShare(jobs)
	place := w.byTime(jobs)
	p := newPlan(jobs, len(w.first)-1)
	for _, l := range loops {
		p.repeat(place[l.last], place[l.first], l.gap)
	}
	for _, l := range endless {
		p.repeat(place[l.last], place[l.first], 0)
	}
	return p, closed
}

// byTime orders jobs by when they came in the recording, as a replay meets them,
// and returns where each is now: neighbors in time are then neighbors in memory.
func (w *workload) byTime(jobs []job) (place []int32) {
	at := func(i int32) int64 {
		if int(i) >= len(w.bursts) && jobs[i].kind != atTime {
			i = jobs[i].cause
		}
		if int(i) < len(w.bursts) {
			return w.rel(w.bursts[i].Woken)
		}
		return jobs[i].when
	}
	order := make([]int32, len(jobs))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a, b)) })
	place = make([]int32, len(jobs))
	for n, i := range order {
		place[i] = int32(n)
	}
	old := slices.Clone(jobs)
	for n, i := range order {
		jobs[n] = old[i]
		if jobs[n].kind != atTime {
			jobs[n].cause = place[jobs[n].cause]
		}
	}
	return place
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
	if len(gaps) < few {
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
	for n := 0; n < deep && i < len(w.of); n++ {
		i = w.acts[w.of[i]].first
		if jobs[i].kind != within {
			break
		}
		i = int(jobs[i].cause)
	}
	return jobs[i].kind == after
}

// chain is a row of pieces of one activation.
type chain struct{ first, last int }

// endless are the threads that did not sleep in the recording: they go on beyond it.
func (w *workload) endless() []chain {
	var list []chain
	for t := range len(w.first) - 1 {
		last := w.first[t+1] - 1
		first := last
		for w.goesOn(first) {
			first--
		}
		if (w.bursts[last].GoesOn || w.tireless[t]) && int64(w.bursts[last].Ended-w.bursts[first].Woken) > int64(throughout*float64(w.span)) {
			list = append(list, chain{first, last})
		}
	}
	return list
}

// job is a burst with what its waker alone tells of its release.
func (w *workload) job(i int) job {
	b := &w.bursts[i]
	cpu := max(int64(b.CPU), least)
	j := job{cpu: cpu, thread: w.thread[i], speed: 1}
	j.when = int64(b.Woken - min(b.Woken, w.from))
	j.serves = b.Waker == event.WakerInterrupt || b.Waker == event.WakerOutside
	if w.goesOn(i) {
		j.kind, j.cause, j.when, j.serves, j.goesOn = after, int32(i-1), w.breath(i), false, true
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
