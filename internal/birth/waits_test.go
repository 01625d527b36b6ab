// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"math/rand/v2"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// us are microseconds in the clock of events.
const us = uint64(1000)

func TestWhatAThreadWaitsFor(t *testing.T) {
	for _, c := range []struct {
		why     reason
		syscall int16
		want    wait
	}{
		{reasonAsleep, nrFutex, waitLock},
		{reasonAsleep, nrNanosleep, waitTimer},
		{reasonAsleep, nrRead, waitMessage},
		{reasonAsleep, nrWait4, waitProcess},
		{reasonAsleep, nrAccept, waitNetwork},
		{reasonAsleep, nrGetpid, waitOther},
		{reasonAsleep, nrNone, waitOther},
		{reasonIOWait, nrRead, waitDisk},
		{reasonIOWait, nrNone, waitDisk},              // a page fault
		{reasonUninterruptible, nrRead, waitLock},     // of the kernel's own
		{reasonUninterruptible, nrNone, waitLock},     // of the kernel's own
		{reasonUninterruptible, nrClone, waitProcess}, // vfork
	} {
		if got := testNames.of(departure{why: c.why, syscall: c.syscall}); got != c.want {
			t.Errorf("%d in %d: %d, want %d", c.why, c.syscall, got, c.want)
		}
	}
}

func TestTimeIsDivided(t *testing.T) {
	cpu := func(from, to uint64) stretch { return stretch{from * us, to * us, onCPU, waitOther} }
	ready := func(from, to uint64) stretch { return stretch{from * us, to * us, runnable, waitOther} }
	sleep := func(from, to uint64, what wait) stretch { return stretch{from * us, to * us, blocked, what} }
	for name, c := range map[string]struct {
		all  []stretch
		cpu  uint64 // µs
		want v1alpha1.PhaseWaits
	}{
		"nothing known": {nil, 0, v1alpha1.PhaseWaits{OtherMicroseconds: 1000}},
		"one thread": {
			[]stretch{cpu(0, 300), sleep(300, 700, waitTimer), ready(700, 800), cpu(800, 1000)}, 500,
			v1alpha1.PhaseWaits{TimerMicroseconds: 400, RunnableMicroseconds: 100},
		},
		"who runs hides who waits": {
			[]stretch{cpu(0, 1000), sleep(0, 600, waitLock), ready(600, 1000)}, 1000, v1alpha1.PhaseWaits{},
		},
		"who could run hides who waits": {
			[]stretch{ready(0, 1000), sleep(0, 1000, waitLock)}, 0, v1alpha1.PhaseWaits{RunnableMicroseconds: 1000},
		},
		"the next to be woken says what was waited for": {
			[]stretch{sleep(0, 900, waitLock), cpu(900, 1000), sleep(0, 400, waitNetwork), cpu(400, 500), sleep(500, 1000, waitTimer)}, 200,
			v1alpha1.PhaseWaits{NetworkMicroseconds: 400, LockMicroseconds: 400},
		},
		"a thread that was made, and not woken": {
			[]stretch{cpu(0, 100), cpu(600, 1000)}, 500, v1alpha1.PhaseWaits{OtherMicroseconds: 500},
		},
		"nobody is woken any more: the latest to fall asleep": {
			[]stretch{cpu(0, 200), sleep(200, 1000, waitMessage), sleep(100, 1000, waitLock)}, 200,
			v1alpha1.PhaseWaits{MessageMicroseconds: 800},
		},
		"the same in another order": {
			[]stretch{sleep(100, 1000, waitLock), sleep(200, 1000, waitMessage), cpu(0, 200)}, 200,
			v1alpha1.PhaseWaits{MessageMicroseconds: 800},
		},
		"more than the window": {
			[]stretch{{0, 2000 * us, blocked, waitDisk}}, 0, v1alpha1.PhaseWaits{DiskMicroseconds: 1000},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ran, waits := spent(c.all, 0, 1000*us)
			if ran != c.cpu*us || waits != c.want {
				t.Errorf("%d µs on a CPU, %+v; want %d, %+v", ran/us, waits, c.cpu, c.want)
			}
		})
	}
}

func TestOnlyTheWindowCounts(t *testing.T) {
	all := []stretch{{0, 500 * us, onCPU, waitOther}, {500 * us, 800 * us, blocked, waitProcess}, {800 * us, 1000 * us, onCPU, waitOther}}
	ran, waits := spent(all, 400*us, 900*us)
	if want := (v1alpha1.PhaseWaits{ProcessMicroseconds: 300}); ran != 200*us || waits != want {
		t.Errorf("%d µs, %+v", ran/us, waits)
	}
}

// What ran and what waited is all of the time, whatever the threads did.
func TestWorkAndWaitingAreAllOfTheTime(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // it is to be the same each time
	for round := range 3000 {
		ds := randomDepartures(r, 1+r.IntN(4))
		from := us * r.Uint64N(100)
		to := from + us*(1+r.Uint64N(400))
		all := append(testNames.stretches(ds, false, us*r.Uint64N(50), to), testNames.stretches(ds, true, us*r.Uint64N(50), to)...)
		ran, waits := spent(all, from, to)
		if sum := int64(ran/us) + sumOfWaits(&waits); sum != int64((to-from)/us) || ran%us != 0 {
			t.Fatalf("round %d: %d µs on a CPU and %+v are %d µs of %d", round, ran/us, waits, sum, (to-from)/us)
		}
		for range 3 { // no order of threads may make a difference
			r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			if again, _ := spent(all, from, to); again != ran {
				t.Fatalf("round %d: %d µs on a CPU, in another order %d", round, ran/us, again/us)
			}
		}
	}
}

// BenchmarkSpent divides a phase of as many threads and departures as a runtime has.
func BenchmarkSpent(b *testing.B) {
	var all []stretch
	for thread := range 12 {
		at := uint64(thread)
		for i := range 400 {
			for _, s := range []stretch{{to: 3 + uint64(i%5), state: onCPU}, {to: 11 + uint64(i%7), state: blocked, what: waitLock}, {to: 2, state: runnable}} {
				s.from, s.to = at, at+s.to
				all, at = append(all, s), s.to
			}
		}
	}
	for b.Loop() {
		spent(all, 0, 8000)
	}
}
