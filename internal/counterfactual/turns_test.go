// SPDX-License-Identifier: Apache-2.0

package counterfactual

import "testing"

func TestTurns(t *testing.T) {
	for cpus, want := range map[int]int64{0: 700_000, 1: 700_000, 2: 1_400_000, 4: 2_100_000, 8: 2_800_000, 64: 2_800_000} {
		if got := turnOf(cpus); got != want {
			t.Errorf("%d CPUs: %d, want %d", cpus, got, want)
		}
	}
}

// ends are when the threads of a plan block, each the last time.
func ends(p *plan, levels []*level, cpus int, span int64) []int64 {
	m := newMachine(p, levels, cpus, 4*ms, 3*ms)
	at := make([]int64, p.threads)
	m.hear = func(t int32) { at[t] = m.now }
	m.run(span)
	return at
}

// A thread that does little does not wait until another has computed to its end or
// its tick, once that has had its turn.
func TestAWakePreempts(t *testing.T) {
	jobs := []job{
		{cpu: 50 * ms, speed: 1, thread: 0},
		{when: 3*ms + 1_500_000, cpu: 100_000, speed: 1, thread: 1},
	}
	if at := ends(newPlan(jobs, 2), nil, 1, 100*ms); at[1] != 3*ms+1_600_000 {
		t.Errorf("it was done at %d", at[1])
	}
}

// Two threads that a quota held on one CPU go on on two: an idle CPU takes one of them.
func TestIdleCPUsTakeWhatWaits(t *testing.T) {
	l := newLevel(25*ms, 100*ms, 0, 100*ms, 5*ms, 2)
	jobs := []job{
		{cpu: 50 * ms, speed: 1, thread: 0},
		{cpu: 14 * ms, speed: 1, thread: 1}, // its CPU has nothing left when it is done
		{when: ms, cpu: 50 * ms, speed: 1, thread: 2},
	}
	m := newMachine(newPlan(jobs, 3), []*level{l}, 2, 4*ms, 3*ms)
	m.run(101 * ms)
	if m.cpus[0].running < 0 || m.cpus[1].running < 0 {
		t.Errorf("%d threads wait, the CPUs run %d and %d", m.waiting, m.cpus[0].running, m.cpus[1].running)
	}
}
