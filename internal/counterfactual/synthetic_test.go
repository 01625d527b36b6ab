// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// program is a workload that the model itself plays, to be recorded at one limit
// and predicted for another: then nothing but the reading of the recording errs.
type program struct {
	name    string
	kind    string // pool, batch, servers, closed, timers, tickers, sync, pauses
	threads int
	every   float64 // ms: between arrivals, ticks, or the pause
	random  bool
	cpu     float64 // ms
	spread  string  // of cpu: exp, even, fixed, tail
}

func (g program) draw(rng *rand.Rand, mean float64, how string) int64 {
	switch how {
	case "exp":
		mean *= rng.ExpFloat64()
	case "tail":
		if rng.Float64() < 0.1 {
			mean *= 6
		}
	case "even":
		mean *= 0.5 + rng.Float64()
	}
	return int64(mean*ms) + 20_000
}

// jobs are the program's for some time.
func (g program) jobs(span int64, seed uint64) (jobs []job) {
	rng := rand.New(rand.NewPCG(seed, 9))
	gap := func() int64 {
		if g.random {
			return g.draw(rng, g.every, "exp")
		}
		return int64(g.every * ms)
	}
	switch g.kind {
	case "pool", "servers":
		for t := gap(); t < span; t += gap() {
			jobs = append(jobs, job{kind: atTime, when: t, thread: int32(rng.IntN(g.threads)), cpu: g.draw(rng, g.cpu, g.spread), speed: 1, serves: true})
		}
	case "batch", "sync":
		n := 6
		if g.kind == "sync" {
			n = g.threads
		}
		step := func() int64 {
			if g.kind == "sync" {
				return g.draw(rng, g.every, "even")
			}
			return gap()
		}
		for t := step(); t < span; t += step() {
			for i := range n {
				jobs = append(jobs, job{kind: atTime, when: t + int64(i)*20_000, thread: int32(i % g.threads), cpu: g.draw(rng, g.cpu, g.spread), speed: 1, serves: true})
			}
		}
	case "timers", "tickers":
		for i := range g.threads {
			for t := int64(37 * ms); t < span; t += int64(g.every * ms) {
				jobs = append(jobs, job{kind: atTime, when: t + int64(rng.IntN(100_000)), thread: int32(i), cpu: g.draw(rng, g.cpu, g.spread), speed: 1, serves: true, lapses: g.kind == "tickers"})
			}
		}
	default:
		for i := range g.threads {
			jobs = append(jobs, job{kind: atTime, when: gap(), thread: int32(i), cpu: g.draw(rng, g.cpu, g.spread), speed: 1, serves: true})
			for t := int64(0); t < span; {
				j := job{kind: after, cause: int32(len(jobs) - 1), when: gap(), thread: int32(i), cpu: g.draw(rng, g.cpu, g.spread), speed: 1, serves: true}
				t += j.when + j.cpu
				jobs = append(jobs, j)
			}
		}
	}
	return jobs
}

// play runs a program for some time at a quota and hears its bursts.
func (g program) play(quota int64, span int64, seed uint64) (event.Recording, float64) {
	jobs := g.jobs(span, seed)
	p := newPlan(jobs, g.threads)
	const period = 100 * ms
	l := newLevel(quota, period, 0, 60*ms, 5*ms, 2)
	m := newMachine(p, []*level{l}, 2, 4*ms, 3*ms)
	const from = 1_000_001 * ms // a tick comes 3 ms later
	r := event.Recording{From: from, To: from + uint64(span), CPUs: 2}
	did := make([]int64, g.threads)
	m.hear = func(t int32) {
		th := &m.threads[t]
		b := event.Burst{
			TID: uint32(100 + t), Woken: uint64(from + th.woken), Ended: uint64(from + m.now), Parked: uint64(th.held),
			CPU: uint64(did[t]), Switches: 1, Waker: event.WakerOutside, WakerTID: uint32(900 + t), Slept: 0,
		}
		switch g.kind {
		case "pool", "batch":
			b.WakerTID = 900
		case "timers", "tickers", "sync":
			b.Waker, b.WakerTID, b.Slept = event.WakerInterrupt, 0, 230
		case "pauses":
			b.Waker, b.WakerTID, b.Slept = event.WakerInterrupt, 0, 230
		}
		r.Bursts = append(r.Bursts, b)
		did[t] = 0
	}
	if g.kind == "pool" || g.kind == "batch" {
		m.choose = func(int32) int32 {
			best := int32(0)
			for t := range m.threads {
				th := &m.threads[t]
				if !th.busy {
					return int32(t)
				}
				if len(th.queue)-th.head < len(m.threads[best].queue)-m.threads[best].head {
					best = int32(t)
				}
			}
			return best
		}
	}
	m.done = func(t int32, j int32) { did[t] += jobs[j].cpu }
	m.run(span)
	g1 := event.Group{Quota: uint64(quota), Period: period, Expires: from + 60*ms}
	g2 := g1
	for _, k := range l.marks {
		g2.Periods++
		if k.throttled {
			g2.Throttled++
		}
	}
	r.Before, r.After = []event.Group{g1}, []event.Group{g2}
	return r, share(l.marks)
}

func programs() []program {
	return []program{
		{"pool of 8", "pool", 8, 17, true, 5, "exp"},
		{"pool of 4", "pool", 4, 12, true, 4, "fixed"},
		{"one server", "pool", 1, 30, true, 8, "exp"},
		{"servers", "servers", 4, 15, true, 5, "even"},
		{"closed 4", "closed", 4, 40, true, 6, "exp"},
		{"closed 3 fixed", "closed", 3, 60, false, 9, "even"},
		{"closed 1", "closed", 1, 30, true, 12, "exp"},
		{"closed 8 short", "closed", 8, 20, true, 2, "exp"},
		{"closed 6 long", "closed", 6, 150, true, 8, "exp"},
		{"timers", "timers", 4, 200, false, 15, "even"},
		{"timers 80", "timers", 3, 80, false, 8, "fixed"},
		{"tickers", "tickers", 4, 80, false, 8, "even"},
		{"one timer", "timers", 1, 100, false, 35, "even"},
		{"pauses", "pauses", 3, 50, false, 12, "fixed"},
		{"random pauses", "pauses", 3, 60, true, 12, "exp"},
		{"heavy tail", "pool", 6, 22, true, 6, "tail"},
		{"batches", "batch", 5, 180, true, 7, "fixed"},
		{"one clock", "sync", 2, 700, true, 60, "fixed"},
	}
}

// TestTheModelOnItself tells how well recordings of played programs are read. Most
// of the error is that of recordings at 0.85 of what the program wants, where it
// never catches up.
func TestTheModelOnItself(t *testing.T) {
	var sum, worst float64
	n, covered, cells := 0, 0, 0
	var wide float64
	for _, g := range programs() {
		full, _ := g.play(1000*ms, 20_000*ms, 1)
		var used uint64
		for _, b := range full.Bursts {
			used += b.CPU
		}
		cores := float64(used) / 20e9
		for _, from := range []float64{0.85, 1.15, 1.5, 2.2} {
			q := int64(cores * from * 100 * ms)
			r, self := g.play(q, 12_000*ms, 2)
			w := newWorkload(r, DefaultConfig().withDefaults(r))
			line := ""
			for _, to := range []float64{0.85, 1.15, 1.5, 2.2} {
				if to == from {
					continue
				}
				q := int64(cores * to * 100 * ms)
				_, got := g.play(q, 12_000*ms, 2)
				_, later := g.play(q, 12_000*ms, 3)
				p := w.predict(uint64(q), 0)
				e := p.Throttled - got
				n++
				sum += math.Abs(e)
				worst = max(worst, math.Abs(e))
				mark := ""
				if !w.saturated {
					wide += p.High - p.Low
					cells++
				}
				if got < p.Low || got > p.High {
					mark = "x"
				}
				if later < p.Low || later > p.High {
					mark += "X"
				} else {
					covered++
				}
				line += fmt.Sprintf("  %.2f: %.3f %+.3f%s", to, got, e, mark)
			}
			t.Logf("%-14s at %.2f (%.2f) %s | %s", g.name, from, self, line, w.told())
		}
	}
	if sum/float64(n) > 0.04 || float64(covered) < 0.95*float64(n) {
		t.Errorf("mean error %.3f, covered %d of %d", sum/float64(n), covered, n)
	}
	t.Logf("%d cells: mean error %.3f, max %.3f, covered %d, mean width %.3f", n, sum/float64(n), worst, covered, wide/float64(cells))
}
