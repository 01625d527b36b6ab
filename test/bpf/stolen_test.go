// SPDX-License-Identifier: Apache-2.0

//go:build bare

package bpf

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// The machine of these tests has two virtual processors, and its hypervisor (Xen) one
// processor for both: while both are busy it takes as much as one of them. Where nothing
// is taken they fail.

// withoutSecondCPU takes it away for a test: what is left nobody wants beside it.
func withoutSecondCPU(t *testing.T) {
	t.Helper()
	const online = "/sys/devices/system/cpu/cpu1/online"
	write(t, online, "0")
	t.Cleanup(func() {
		if err := os.WriteFile(online, []byte("1"), 0); err != nil {
			t.Error(err)
		}
	})
}

// TestStolenTime: the reading of stolen time is held against what a processor shared by
// two cannot give, and against threads that look at the clock all the time: for how long
// they could not, without the wait for a CPU that their own kernel let them have.
func TestStolenTime(t *testing.T) {
	needKernel(t)
	for name, c := range map[string]struct {
		alone bool
		take  float64 // of the time that passed
	}{
		"two CPUs on one":    {false, 1},
		"one CPU for itself": {true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if c.alone {
				withoutSecondCPU(t)
			}
			dir, _ := makeCgroup(t, "gaps")
			weigh(t, dir, 10_000)
			insistent(t, func() (uint64, string) {
				s := act(t, "gaps", dir, 2*time.Second, "free")
				before := nodeNow(t)
				s.begin(t)
				gap := int64(0)
				for _, d := range s.said(t) {
					gap += int64(d.Times) - d.Queued
				}
				after := nodeNow(t)
				s.kill()
				stolen, passed := float64(cpu.Stolen(before, after)), float64(after.Time-before.Time)
				t.Logf("%.2f s stolen in %.2f s; threads stood still for %.2f s", stolen/1e9, passed/1e9, float64(gap)/1e9)
				if !near(stolen, c.take*passed, 0.1, 50*time.Millisecond) {
					return 0, "that is not what the processor could not give"
				}
				// The emulator stands still as well, which is not stolen from anybody. And waits
				// are taken off that were too short to be seen, or during which the CPU was
				// taken: up to half a second of four.
				if stolen > 1.3*max(float64(gap), 0)+float64(300*time.Millisecond) {
					return 0, "more was stolen than they stood still"
				}
				return 0, ""
			})
		})
	}
}

// TestStolenByHypervisor: a service waits beside another one that keeps all CPUs busy,
// first on two virtual processors that share one, then alone on one of them: only then its
// hypervisor is no cause.
func TestStolenByHypervisor(t *testing.T) {
	l, k := ears(t), listen(t)
	for name, alone := range map[string]bool{"two CPUs on one": false, "one CPU for itself": true} {
		t.Run(name, func(t *testing.T) {
			if alone {
				withoutSecondCPU(t)
			}
			victim, path := makeCgroup(t, "victim")
			miner, _ := makeCgroup(t, "miner")
			// As pods: who records is not to wait for them, and nobody else is here.
			weigh(t, victim, weightOf(250)/heavier)
			weigh(t, miner, weightOf(1000)/heavier)
			act(t, "mines", miner, time.Hour, "free").begin(t)
			act(t, "answers", victim, time.Hour, "free").begin(t)
			config := watchConfig()
			config.Neighbor = named(map[uint64]string{inode(t, victim): "victim", inode(t, miner): "miner"})
			config.Request = func(_ cpu.Container, g event.Group) int64 { return cpu.RequestOfShares(g.Shares) }
			group := mustLocate(t, k, path)
			insistent(t, func() (uint64, string) {
				told, r := leanedIn(t, l, cpu.NewWatch(config), victim, group)
				if len(told) != 1 {
					return r.Lost, fmt.Sprintf("%d whispers of %s", len(told), waits(r))
				}
				return r.Lost, stolenDiffers(t, told[0], r, alone)
			})
		})
	}
}

// stolenDiffers says what is told otherwise than the hypervisor did.
func stolenDiffers(t *testing.T, w *v1alpha1.KernelWhisper, r event.Recording, alone bool) string {
	t.Helper()
	s, b := verdict.Whisper(w, nil, time.Now()), w.Spec.Bursts
	t.Logf("%s: %s, then %q: %s\n%s", s.Severity, s.Cause, s.SecondCause, s.Insight, s.Recommendation)
	t.Logf("%d CPUs, %d µs stolen in %d ms; %s", b.CPUs, b.StolenMicroseconds, b.WindowMilliseconds, waits(r))
	const hypervisor = v1alpha1.CauseStolenByHypervisor
	// It is read between the recording's beginning and its end, by who waits as well.
	stolen, passed := float64(r.Stolen), float64(r.To-r.From)
	switch {
	case w.Spec.Reason != v1alpha1.ReasonCPUContention:
		return fmt.Sprintf("reason %s", w.Spec.Reason)
	case (s.Cause == hypervisor) == alone || s.SecondCause == hypervisor:
		return fmt.Sprintf("causes %s and %q: %+v", s.Cause, s.SecondCause, *b)
	case alone && stolen > float64(50*time.Millisecond), !alone && (stolen < passed/2 || stolen > 1.1*passed):
		return fmt.Sprintf("%d µs stolen in %d ms", b.StolenMicroseconds, b.WindowMilliseconds)
	case len(b.Preemptors) == 0 || b.Preemptors[0].Pod != "miner":
		return fmt.Sprintf("what ran meanwhile: %+v", b.Preemptors)
	}
	return ""
}
