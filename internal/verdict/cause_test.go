// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// threads is a fan-out over eight threads on eight CPUs, whose average fits.
func threads(w *v1alpha1.KernelWhisper) {
	w.Spec.KernelTruth.RunnableThreadsMax = ptr[int64](8)
	b := w.Spec.Bursts
	b.ParallelThreads, b.LoopingThreads = 8, 8
	b.Threads, b.CPUs, b.PeakCPUMicroseconds = 9, 8, 40_000
	b.OutsideActivations, b.Activations, b.StalledActivations = 20, 180, 12
	w.Spec.Counterfactual.BurstMicroseconds = nil
}

// saturated is a container that uses all of its limit.
func saturated(w *v1alpha1.KernelWhisper) { w.Spec.Bursts.CPUMicroseconds = 4_950_000 }

// Every cause has a case that is it, and one that looks like it and is not.
func TestCauses(t *testing.T) {
	const (
		low, many, burst  = v1alpha1.CauseLimitTooLow, v1alpha1.CauseTooManyThreads, v1alpha1.CauseBurst
		ancestor, noisy   = v1alpha1.CauseAncestorLimit, v1alpha1.CauseNoisyNeighbour
		small, hypervisor = v1alpha1.CauseRequestTooSmall, v1alpha1.CauseStolenByHypervisor
	)
	noPeak := func(w *v1alpha1.KernelWhisper) {
		w.Spec.Bursts.PeakCPUMicroseconds, w.Spec.Counterfactual.BurstMicroseconds = 30_000, nil
	}
	tests := []struct {
		name         string
		whisper      *v1alpha1.KernelWhisper
		first, other v1alpha1.Cause
	}{
		{"LimitTooLow: a loop under a tenth of a CPU", recorded(loop), low, ""},
		{"LimitTooLow: all of the limit is used", recorded(saturated), low, ""},
		{"LimitTooLow: a closed loop would use more", recorded(replay(func(c *v1alpha1.Counterfactual) { c.Curve[4].UsageMillicores = 640 })), low, ""},
		{"not LimitTooLow: held back for longer than it ran, and the average fits", recorded(truth(func(k *v1alpha1.KernelTruth) {
			k.DemandMillicores = 900
		})), burst, ""},

		{"Burst: peaks above the quota", recorded(), burst, ""},
		{"Burst: a burst setting would do", recorded(bursts(func(b *v1alpha1.Bursts) { b.PeakCPUMicroseconds = 48_000 })), burst, ""},
		{"not Burst: peaks fit, and no burst setting is known to help", recorded(noPeak), "", ""},

		{"TooManyThreads: work that divides itself", recorded(threads), many, ""},
		{"TooManyThreads: and its peaks do not fit", recorded(threads, bursts(func(b *v1alpha1.Bursts) { b.PeakCPUMicroseconds = 90_000 })), many, burst},
		{"TooManyThreads: on fewer CPUs, where they wait for each other", recorded(threads, bursts(func(b *v1alpha1.Bursts) {
			b.CPUs, b.QueuedMicroseconds = 2, 4_000_000
			b.Preemptors = []v1alpha1.Preemptor{{Namespace: "shop", Pod: "burner", WaitMicroseconds: 3_900_000}}
		})), many, ""},
		{"not TooManyThreads: many are ready, and one computes", recorded(threads, bursts(func(b *v1alpha1.Bursts) {
			b.ParallelThreads, b.PeakCPUMicroseconds = 1, 82_000
		})), burst, ""},
		{"TooManyThreads: spinning threads take what they get", recorded(loop, threads, saturated, bursts(func(b *v1alpha1.Bursts) {
			b.NeverSleptPercent = "99.0"
		})), many, low},
		{"LimitTooLow: and too many threads on top", recorded(threads, saturated), low, many},
		{"not TooManyThreads: a hand-over to a pool", recorded(threads, bursts(func(b *v1alpha1.Bursts) {
			b.ParallelThreads, b.OutsideActivations, b.PeakCPUMicroseconds = 2, 80, 82_000
		})), burst, ""},
		{"not TooManyThreads: three share it by chance", recorded(threads, bursts(func(b *v1alpha1.Bursts) {
			b.ParallelThreads, b.PeakCPUMicroseconds = 3, 82_000
		})), burst, ""},
		{"not TooManyThreads: a loop that one thread has", recorded(loop, threads, saturated, bursts(func(b *v1alpha1.Bursts) {
			b.NeverSleptPercent, b.LoopingThreads = "99.0", 1
		})), low, ""},
		{"not TooManyThreads: the limit has as many CPUs as there are", recorded(threads, bursts(func(b *v1alpha1.Bursts) { b.CPUs = 2 }),
			replay(func(c *v1alpha1.Counterfactual) { c.LimitMillicores = 2_000 })), "", ""},

		{"AncestorLimit", recorded(truth(func(k *v1alpha1.KernelTruth) { k.ThrottledAt = v1alpha1.ThrottledAtAncestor })), ancestor, ""},
		{"not AncestorLimit: the pod's", recorded(truth(func(k *v1alpha1.KernelTruth) { k.ThrottledAt = v1alpha1.ThrottledAtPod })), burst, ""},

		{"StolenByHypervisor beside a limit", recorded(bursts(func(b *v1alpha1.Bursts) { b.StolenMicroseconds = 2_000_000 })), burst, hypervisor},
		{"not StolenByHypervisor: a few percent", recorded(bursts(func(b *v1alpha1.Bursts) { b.StolenMicroseconds = 1_900_000 })), burst, ""},
		{"StolenByHypervisor instead of a neighbour", waiting(bursts(func(b *v1alpha1.Bursts) {
			b.StolenMicroseconds, b.Preemptors = 4_000_000, nil
			b.RequestMillicores = 1_000
		})), hypervisor, ""},
		{"not RequestTooSmall: what it used has stolen time in it", waiting(bursts(func(b *v1alpha1.Bursts) { b.StolenMicroseconds = 4_000_000 })), hypervisor, ""},

		{"not LimitTooLow: by a replay alone, of one that used little of it", recorded(bursts(func(b *v1alpha1.Bursts) { b.CPUMicroseconds = 2_000_000 }),
			replay(func(c *v1alpha1.Counterfactual) { c.Curve[4].UsageMillicores = 640 })), burst, ""},
		{"LimitTooLow: a loop that others kept from its limit", recorded(loop, replay(func(c *v1alpha1.Counterfactual) { c.LowerBound = false }),
			bursts(func(b *v1alpha1.Bursts) { b.CPUMicroseconds = 4_000_000 }), func(w *v1alpha1.KernelWhisper) { w.Spec.Counterfactual.Curve = nil }), low, ""},

		{"RequestTooSmall: it uses more than its request of 250m", waiting(), small, ""},
		{"NoisyNeighbour: a small request, and it gets a tenth of it", waiting(bursts(func(b *v1alpha1.Bursts) {
			b.RequestMillicores, b.CPUMicroseconds = 10, 10_000
		})), noisy, ""},
		{"RequestTooSmall: it has none", waiting(bursts(func(b *v1alpha1.Bursts) { b.RequestMillicores = 0 })), small, ""},
		{"NoisyNeighbour: the same wait within its request", waiting(bursts(func(b *v1alpha1.Bursts) { b.RequestMillicores = 500 })), noisy, ""},
		{"NoisyNeighbour: it waits a hundred times as long as it runs, and gets less than its request", waiting(bursts(func(b *v1alpha1.Bursts) {
			b.CPUMicroseconds, b.QueuedMicroseconds = 100_000, 10_000_000
		})), noisy, ""},
		{"RequestTooSmall: as near to it as a weight can tell", waiting(bursts(func(b *v1alpha1.Bursts) { b.RequestMillicores = 330 })), small, ""},
		{"not NoisyNeighbour: its own threads are in each other's way", waiting(bursts(func(b *v1alpha1.Bursts) {
			b.Preemptors[0] = v1alpha1.Preemptor{Namespace: "shop", Pod: "burner", WaitMicroseconds: 1_700_000}
		})), many, ""},
		{"NoisyNeighbour: another container of its pod is in its way", waiting(bursts(func(b *v1alpha1.Bursts) {
			b.Preemptors[0] = v1alpha1.Preemptor{Namespace: "shop", Pod: "burner", Container: "mesh", WaitMicroseconds: 1_700_000}
			b.RequestMillicores = 500
		})), noisy, ""},
		{"NoisyNeighbour: a pod of the same name in another namespace", waiting(bursts(func(b *v1alpha1.Bursts) {
			b.Preemptors[0] = v1alpha1.Preemptor{Namespace: "garage", Pod: "burner", WaitMicroseconds: 1_700_000}
			b.RequestMillicores = 500
		})), noisy, ""},
		{"not NoisyNeighbour: nobody is known to have run", waiting(bursts(func(b *v1alpha1.Bursts) {
			b.RequestMillicores, b.Preemptors = 500, nil
		})), "", ""},
		{"NoisyNeighbour beside a limit", recorded(bursts(func(b *v1alpha1.Bursts) {
			b.QueuedMicroseconds, b.RequestMillicores = 1_900_000, 600
			b.Preemptors = []v1alpha1.Preemptor{{Namespace: "shop", Pod: "miner", WaitMicroseconds: 1_700_000}}
		})), burst, noisy},
		{"not NoisyNeighbour: the limit held it for longer", recorded(bursts(func(b *v1alpha1.Bursts) {
			b.QueuedMicroseconds, b.RequestMillicores = 1_700_000, 600
			b.Preemptors = []v1alpha1.Preemptor{{Namespace: "shop", Pod: "miner", WaitMicroseconds: 1_700_000}}
		})), burst, ""},
		{"nothing throttled", recorded(truth(func(k *v1alpha1.KernelTruth) { k.ThrottledPeriods = 0 })), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := verdict.Whisper(tt.whisper, nil, clock)
			if got.Cause != tt.first || got.SecondCause != tt.other {
				t.Errorf("causes %q and %q, want %q and %q", got.Cause, got.SecondCause, tt.first, tt.other)
			}
		})
	}
}

// The recommendation names what governs the number of threads.
func TestThreadSettingIsNamed(t *testing.T) {
	for language, want := range map[string]string{
		"Go":  "GOMAXPROCS=1, which Go 1.25 and later derive from the limit (2 at least)",
		"JVM": "-XX:ActiveProcessorCount=1; a JVM sizes itself when it starts",
		"":    "Its own setting for threads or workers should say 1.",
	} {
		w := recorded(threads, bursts(func(b *v1alpha1.Bursts) { b.Language = language }))
		if got := verdict.Whisper(w, nil, clock).Recommendation; !strings.Contains(got, want) || !strings.Contains(got, "among 8 of its 9 threads") {
			t.Errorf("%s: %q does not say %q", language, got, want)
		}
	}
}
