// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// Percentages do not decide: each pair has the same share of throttled periods.
func TestSeverityOfHarm(t *testing.T) {
	const critical, warning, info = v1alpha1.SeverityCritical, v1alpha1.SeverityWarning, v1alpha1.SeverityInfo
	always := truth(func(k *v1alpha1.KernelTruth) { k.ThrottledPeriods = 90 })
	stall := func(us int64) func(*v1alpha1.KernelWhisper) {
		return truth(func(k *v1alpha1.KernelTruth) { k.StallP99Microseconds = &us })
	}
	tests := []struct {
		name    string
		whisper *v1alpha1.KernelWhisper
		want    v1alpha1.Severity
	}{
		{"a request path that stalls for a period", recorded(), critical},
		{"a loop that never sleeps, stopped in every period", recorded(loop, always), info},
		{"a loop, and a signal now and then", recorded(loop, always, stall(400_000), bursts(func(b *v1alpha1.Bursts) {
			b.OutsideActivations, b.StalledActivations, b.Activations = 5, 5, 6
		})), info},
		{"a loop, and the thread by which Go's runtime looks after itself", recorded(loop, always, stall(90_000), bursts(func(b *v1alpha1.Bursts) {
			b.Language, b.NeverSleptPercent = "Go", "99.8"
			b.OutsideActivations, b.StalledActivations, b.Activations = 600, 500, 601
		})), info},
		{"a loop beside a request path", recorded(always, bursts(func(b *v1alpha1.Bursts) { b.NeverSleptPercent = "91.0" })), critical},
		{"nothing but own wakes: work that feeds itself", recorded(stall(0), bursts(func(b *v1alpha1.Bursts) {
			b.OutsideActivations, b.StalledActivations = 0, 0
		})), info},
		{"a stall just below a period", recorded(stall(99_999)), warning},
		{"a stall of a tenth of a period", recorded(stall(10_000)), warning},
		{"a stall below a tenth of a period, in every period", recorded(always, stall(9_999)), info},
		{"an agent that wakes every four seconds", recorded(stall(400_000), bursts(func(b *v1alpha1.Bursts) {
			b.OutsideActivations, b.StalledActivations = 3, 3
		})), warning},
		{"an agent that stalled once", recorded(stall(400_000), bursts(func(b *v1alpha1.Bursts) {
			b.OutsideActivations, b.StalledActivations = 2, 1
		})), info},
		{"few of very many, for long", recorded(stall(0), bursts(func(b *v1alpha1.Bursts) {
			b.OutsideActivations, b.Activations, b.StalledActivations, b.ParkedMicroseconds = 40_000, 40_000, 300, 15_000_000
		})), warning},
		{"few of very many, hardly", recorded(stall(0), bursts(func(b *v1alpha1.Bursts) {
			b.OutsideActivations, b.Activations, b.StalledActivations, b.ParkedMicroseconds = 40_000, 40_000, 300, 600_000
		})), info},
		{"a short period: a stall of it is as bad", recorded(stall(25_000), truth(func(k *v1alpha1.KernelTruth) { k.PeriodMicroseconds = 20_000 })), critical},
		{"a recording in which nothing ran judges nothing", recorded(always, func(w *v1alpha1.KernelWhisper) {
			w.Spec.Bursts = &v1alpha1.Bursts{WindowMilliseconds: 5_000, NeverSleptPercent: "0.0"}
			w.Spec.KernelTruth.StallP99Microseconds = nil
		}), warning},

		{"a wait for a CPU of 42ms", waiting(), warning},
		{"of a whole period of Kubernetes' quotas", waiting(truth(func(k *v1alpha1.KernelTruth) { k.RunQueueWaitP99Microseconds = ptr[int64](100_000) })), critical},
		{"of less than 10ms", waiting(truth(func(k *v1alpha1.KernelTruth) { k.RunQueueWaitP99Microseconds = ptr[int64](9_000) })), info},
		{"of a loop", waiting(bursts(func(b *v1alpha1.Bursts) {
			b.NeverSleptPercent, b.OutsideActivations, b.Activations = "100.0", 0, 1
		})), info},
		{"not measured", waiting(truth(func(k *v1alpha1.KernelTruth) { k.RunQueueWaitP99Microseconds = nil })), info},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := verdict.Whisper(tt.whisper, nil, clock).Severity; got != tt.want {
				t.Errorf("severity = %s, want %s", got, tt.want)
			}
		})
	}
}

// The 99th percentile of fewer than a hundred is the greatest: nobody saw a hundred.
func TestNoHundredthOfFew(t *testing.T) {
	few := bursts(func(b *v1alpha1.Bursts) { b.OutsideActivations, b.StalledActivations, b.Activations = 5, 5, 6 })
	for name, tt := range map[string]struct {
		whisper *v1alpha1.KernelWhisper
		want    string
	}{
		"stalls of few":  {recorded(few), "; the longest for "},
		"stalls of many": {recorded(), "; one in a hundred for "},
		"waits of few":   {waiting(few), "; the activation that waited longest did for "},
		"waits of many":  {waiting(), "; one activation in a hundred waited for "},
	} {
		if got := verdict.Whisper(tt.whisper, nil, clock).Insight; !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q does not contain %q", name, got, tt.want)
		}
	}
}
