// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// recorded is a request path under a limit of 500m that was listened to for ten
// seconds: 200 requests, 40 of them held, on average 300m.
func recorded(change ...func(*v1alpha1.KernelWhisper)) *v1alpha1.KernelWhisper {
	return whisper(append([]func(*v1alpha1.KernelWhisper){
		truth(func(k *v1alpha1.KernelTruth) {
			k.Periods, k.ThrottledPeriods, k.ThrottledPercent = 90, 27, "30.0"
			k.UsageMillicores, k.DemandMillicores, k.QuotaMicroseconds = 300, 480, 50_000
			k.ThreadTimeLostPercent = "20.0"
			k.StallP50Microseconds, k.StallP99Microseconds = ptr[int64](0), ptr[int64](120_000)
			k.RunQueueWaitP99Microseconds, k.ContextSwitches, k.RunnableThreadsMax = ptr[int64](700), ptr[int64](900), ptr[int64](2)
		}),
		func(w *v1alpha1.KernelWhisper) {
			w.Spec.Bursts = &v1alpha1.Bursts{
				Time: microTime(clock.Add(-2 * time.Second)), WindowMilliseconds: 10_000,
				Activations: 260, OutsideActivations: 200, StalledActivations: 40,
				CPUMicroseconds: 3_000_000, ParkedMicroseconds: 1_800_000, QueuedMicroseconds: 60_000,
				PeakCPUMicroseconds: 82_000, NeverSleptPercent: "0.0", Threads: 4, CPUs: 2, RequestMillicores: 250,
			}
			w.Spec.Counterfactual = &v1alpha1.Counterfactual{
				RecordedMilliseconds: 10_000, Bursts: 260, ClosedPercent: "0.0", LimitMillicores: 500,
				Curve: []v1alpha1.Predicted{
					predicted(300, "61.0", "52.0", "70.0", 310_000, 300),
					predicted(500, "29.1", "22.4", "35.8", 118_000, 302),
					predicted(700, "9.2", "5.0", "14.1", 31_000, 303),
					predicted(800, "3.1", "1.0", "5.6", 2_400, 303),
					predicted(1_000, "0.0", "0.0", "1.1", 0, 303),
				},
				BurstMicroseconds: ptr[int64](32_000),
			}
		},
	}, change...)...)
}

func predicted(limit int64, throttled, low, high string, stall, usage int64) v1alpha1.Predicted {
	return v1alpha1.Predicted{
		LimitMillicores: limit, ThrottledPercent: throttled, ThrottledPercentLow: low, ThrottledPercentHigh: high,
		StallP99Microseconds: stall, StallP99MicrosecondsHigh: 2 * stall, UsageMillicores: usage,
	}
}

func bursts(change func(*v1alpha1.Bursts)) func(*v1alpha1.KernelWhisper) {
	return func(w *v1alpha1.KernelWhisper) { change(w.Spec.Bursts) }
}

func replay(change func(*v1alpha1.Counterfactual)) func(*v1alpha1.KernelWhisper) {
	return func(w *v1alpha1.KernelWhisper) { change(w.Spec.Counterfactual) }
}

// noReplay drops the counterfactual.
func noReplay(w *v1alpha1.KernelWhisper) { w.Spec.Counterfactual = nil }

// loop makes it a busy loop: nothing but threads that never sleep.
func loop(w *v1alpha1.KernelWhisper) {
	b := w.Spec.Bursts
	b.Activations, b.OutsideActivations, b.StalledActivations, b.PeakCPUMicroseconds = 1, 0, 0, 0
	b.CPUMicroseconds, b.NeverSleptPercent, b.Threads = 5_000_000, "100.0", 1
	w.Spec.KernelTruth.RunnableThreadsMax = ptr[int64](1)
	w.Spec.KernelTruth.StallP50Microseconds, w.Spec.KernelTruth.StallP99Microseconds = nil, nil
	w.Spec.KernelTruth.ThrottledPeriods, w.Spec.KernelTruth.ThrottledPercent = 90, "100.0"
	w.Spec.Counterfactual.LowerBound = true
	w.Spec.Counterfactual.Curve = []v1alpha1.Predicted{
		predicted(500, "99.0", "95.0", "100.0", 0, 500), predicted(900, "90.0", "80.0", "100.0", 0, 900),
		predicted(1_000, "0.0", "0.0", "4.0", 0, 1_000),
	}
	w.Spec.Counterfactual.BurstMicroseconds = nil
}

// waiting makes it a container that no limit holds and that waits for a CPU.
func waiting(change ...func(*v1alpha1.KernelWhisper)) *v1alpha1.KernelWhisper {
	return recorded(append([]func(*v1alpha1.KernelWhisper){func(w *v1alpha1.KernelWhisper) {
		w.Spec.Reason, w.Spec.Counterfactual = v1alpha1.ReasonCPUContention, nil
		w.Spec.KernelTruth = v1alpha1.KernelTruth{
			WindowMilliseconds: 10_000, ThrottledPercent: "0.0", UsageMillicores: 300, DemandMillicores: 300,
			RunQueueWaitP99Microseconds: ptr[int64](42_000), RunnableThreadsMax: ptr[int64](2),
		}
		b := w.Spec.Bursts
		b.StalledActivations, b.ParkedMicroseconds = 0, 0
		b.QueuedMicroseconds = 2_000_000
		b.Preemptors = []v1alpha1.Preemptor{
			{Namespace: "shop", Pod: "miner", WaitMicroseconds: 1_700_000}, {Cgroup: "/system.slice/kubelet.service", WaitMicroseconds: 90_000},
		}
	}}, change...)...)
}
