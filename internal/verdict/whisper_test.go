// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// clock is the time of every verdict in these tests.
var clock = time.Date(2026, 5, 4, 10, 0, 30, 0, time.UTC)

func microTime(t time.Time) metav1.MicroTime { return metav1.NewMicroTime(t) }

// whisper is a busy loop under a limit of 100m.
func whisper(change ...func(*v1alpha1.KernelWhisper)) *v1alpha1.KernelWhisper {
	w := &v1alpha1.KernelWhisper{
		ObjectMeta: metav1.ObjectMeta{Name: "burner-app-1", Namespace: "shop", Generation: 3},
		Spec: v1alpha1.KernelWhisperSpec{
			PodRef:        v1alpha1.PodReference{Name: "burner", UID: "7d0a6a2e-0c1e-4a37-9a44-2c8a36f1b7aa"},
			NodeName:      "node1",
			ContainerName: "app",
			Reason:        v1alpha1.ReasonCPUThrottling,
			StartTime:     microTime(clock.Add(-25 * time.Second)),
			LastSeenTime:  microTime(clock.Add(-time.Second)),
			KernelTruth: v1alpha1.KernelTruth{
				WindowMilliseconds: 10_000, Periods: 99, ThrottledPeriods: 97, ThrottledPercent: "98.0",
				ThrottledMicroseconds: 6_120_000, UsageMillicores: 100, DemandMillicores: 712,
				QuotaMicroseconds: 10_000, PeriodMicroseconds: 100_000, ThrottledAt: v1alpha1.ThrottledAtContainer,
			},
		},
	}
	for _, c := range change {
		c(w)
	}
	return w
}

func truth(change func(*v1alpha1.KernelTruth)) func(*v1alpha1.KernelWhisper) {
	return func(w *v1alpha1.KernelWhisper) { change(&w.Spec.KernelTruth) }
}

func reported(usage int64) *verdict.Metric {
	return &verdict.Metric{UsageMillicores: usage, Window: 15 * time.Second, End: clock.Add(-5 * time.Second)}
}

func ptr[T any](v T) *T { return &v }

func TestWhisperTexts(t *testing.T) {
	tests := []struct {
		name           string
		whisper        *v1alpha1.KernelWhisper
		metric         *verdict.Metric
		severity       v1alpha1.Severity
		cause          v1alpha1.Cause
		insight        string
		recommendation string
		evidence       string
		percent        string
		claim          string
	}{
		{
			name:     "busy loop under a container limit",
			whisper:  whisper(),
			metric:   reported(100),
			severity: v1alpha1.SeverityCritical, cause: v1alpha1.CauseLimitTooLow,
			insight: "The CPU limit of 100m stopped container app in 97 of 99 active periods (98.0 %), while metrics show 100m, " +
				"100.0 % of that limit; how long its work stood still each time was not measured.",
			recommendation: "Container app used 100m of CPU and was held back from 612m more by its limit of 100m; a limit of 712m on the " +
				"container would have let both run. That is an average: a burst within one period of 100ms can still be stopped, and CPU time that other workloads took is not in it.",
			evidence: "nr_throttled 97 of nr_periods 99 (98.0 %), throttled for 6.12s (summed over CPUs) in 10s, quota 10ms per 100ms, at level Container",
			percent:  "100.0",
			claim: "metrics.k8s.io reports an average over 15s of 100m, 100.0 % of the limit; an average does not show that the quota " +
				"of 10ms per 100ms ran out in 97 of 99 periods.",
		},
		{
			name:     "no figure",
			whisper:  whisper(),
			metric:   &verdict.Metric{Missing: v1alpha1.MetricsNoFigure},
			severity: v1alpha1.SeverityCritical, cause: v1alpha1.CauseLimitTooLow,
			insight: "The CPU limit of 100m stopped container app in 97 of 99 active periods (98.0 %), while the average over the same " +
				"time is 100m, 100.0 % of that limit; how long its work stood still each time was not measured.",
			recommendation: "Container app used 100m of CPU and was held back from 612m more by its limit of 100m; a limit of 712m on the " +
				"container would have let both run. That is an average: a burst within one period of 100ms can still be stopped, and CPU time that other workloads took is not in it.",
			evidence: "nr_throttled 97 of nr_periods 99 (98.0 %), throttled for 6.12s (summed over CPUs) in 10s, quota 10ms per 100ms, at level Container",
			percent:  "100.0",
			claim: "metrics.k8s.io has no figure for this time; the average over 10s is 100m, 100.0 % of the limit; an average does not " +
				"show that the quota of 10ms per 100ms ran out in 97 of 99 periods.",
		},
		{
			name: "the pod's quota, demand within it on average",
			whisper: whisper(truth(func(k *v1alpha1.KernelTruth) {
				k.Periods, k.ThrottledPeriods = 80, 21
				k.UsageMillicores, k.DemandMillicores = 180, 240
				k.QuotaMicroseconds, k.ThrottledAt = 25_000, v1alpha1.ThrottledAtPod
				k.ThrottledMicroseconds = 612_345
			})),
			metric:   reported(120),
			severity: v1alpha1.SeverityWarning, cause: "",
			insight: "The pod's CPU limit of 250m stopped container app in 21 of 80 active periods (26.3 %), while metrics show 120m, " +
				"48.0 % of that limit; how long its work stood still each time was not measured.",
			recommendation: "What container app used and was held back from is 240m of CPU on average, within the pod's limit of 250m: it is stopped by " +
				"bursts of more than 25ms of CPU time in one period of 100ms, and averages do not say which limit would hold them.",
			evidence: "nr_throttled 21 of nr_periods 80 (26.3 %), throttled for 612ms (summed over CPUs) in 10s, quota 25ms per 100ms, at level Pod",
			percent:  "48.0",
			claim: "metrics.k8s.io reports an average over 15s of 120m, 48.0 % of the limit; an average does not show that the quota of " +
				"25ms per 100ms ran out in 21 of 80 periods.",
		},
		{
			name: "an ancestor's quota",
			whisper: whisper(truth(func(k *v1alpha1.KernelTruth) {
				k.ThrottledAt, k.QuotaMicroseconds, k.UsageMillicores = v1alpha1.ThrottledAtAncestor, 150_000, 400
			})),
			metric:   reported(400),
			severity: v1alpha1.SeverityWarning, cause: v1alpha1.CauseAncestorLimit,
			insight: "A CPU limit of 1500m above the pod stopped container app in 97 of 99 active periods (98.0 %), while metrics show " +
				"400m; how long its work stood still each time was not measured.",
			recommendation: "The quota of 150ms per 100ms belongs to a cgroup above the pod, so a higher limit on the container changes " +
				"nothing; spec.evidence names the cgroup, and whoever set its quota can raise it.",
			evidence: "nr_throttled 97 of nr_periods 99 (98.0 %), throttled for 6.12s (summed over CPUs) in 10s, quota 150ms per 100ms, at level Ancestor",
			claim: "metrics.k8s.io reports an average over 15s of 400m; an average does not show that the quota of 150ms per 100ms ran " +
				"out in 97 of 99 periods.",
		},
		{
			name: "nothing throttled",
			whisper: whisper(truth(func(k *v1alpha1.KernelTruth) {
				k.ThrottledPeriods, k.ThrottledMicroseconds = 0, 0
			})),
			severity: v1alpha1.SeverityInfo,
			insight:  "The kernel counted no throttled period of container app in 99 active periods.",
			evidence: "nr_throttled 0 of nr_periods 99 (0.0 %), throttled for 0µs (summed over CPUs) in 10s, quota 10ms per 100ms, at level Container",
			percent:  "100.0",
		},
		{
			name: "the kernel's counters win over a percentage that contradicts them",
			whisper: whisper(truth(func(k *v1alpha1.KernelTruth) {
				k.ThrottledPercent, k.Periods, k.ThrottledPeriods = "3.0", 4, 4
			}), func(w *v1alpha1.KernelWhisper) { w.Spec.ContainerName = "grüße\x1b[31m\n" }),
			metric:   &verdict.Metric{Missing: v1alpha1.MetricsNoFigure},
			severity: v1alpha1.SeverityCritical, cause: v1alpha1.CauseLimitTooLow,
			insight: "The CPU limit of 100m stopped container grüße?[31m? in 4 of 4 active periods (100.0 %), while the average over the " +
				"same time is 100m, 100.0 % of that limit; how long its work stood still each time was not measured.",
			recommendation: "Container grüße?[31m? used 100m of CPU and was held back from 612m more by its limit of 100m; a limit of 712m on the " +
				"container would have let both run. That is an average: a burst within one period of 100ms can still be stopped, and CPU time that other workloads took is not in it.",
			evidence: "nr_throttled 4 of nr_periods 4 (100.0 %), throttled for 6.12s (summed over CPUs) in 10s, quota 10ms per 100ms, at level Container",
			percent:  "100.0",
			claim: "metrics.k8s.io has no figure for this time; the average over 10s is 100m, 100.0 % of the limit; an average does not " +
				"show that the quota of 10ms per 100ms ran out in 4 of 4 periods.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := verdict.Whisper(tt.whisper, tt.metric, clock)
			same(t, "severity", string(got.Severity), string(tt.severity))
			same(t, "cause", string(got.Cause), string(tt.cause))
			same(t, "insight", got.Insight, tt.insight)
			same(t, "recommendation", got.Recommendation, tt.recommendation)
			same(t, "kernelEvidence", got.KernelEvidence, tt.evidence)
			same(t, "percentOfLimit", got.MetricsLie.PercentOfLimit, tt.percent)
			same(t, "claim", got.MetricsLie.Claim, tt.claim)
			if got.ObservedGeneration != 3 {
				t.Errorf("observedGeneration = %d, want 3", got.ObservedGeneration)
			}
		})
	}
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestWhisperConditions(t *testing.T) {
	tests := []struct {
		name             string
		change           func(*v1alpha1.KernelWhisper)
		active, resolved metav1.ConditionStatus
		reason, message  string
	}{
		{
			name: "lasts", change: func(*v1alpha1.KernelWhisper) {},
			active: metav1.ConditionTrue, resolved: metav1.ConditionFalse,
			reason: verdict.ReasonEpisodeLasts, message: "The counters last showed it at 2026-05-04T10:00:29Z.",
		},
		{
			name:   "ended",
			change: func(w *v1alpha1.KernelWhisper) { w.Spec.EndTime = w.Spec.LastSeenTime.DeepCopy() },
			active: metav1.ConditionFalse, resolved: metav1.ConditionTrue,
			reason: verdict.ReasonEpisodeEnded, message: "The episode ended at 2026-05-04T10:00:29Z.",
		},
		{
			name:   "no word for ten minutes",
			change: func(w *v1alpha1.KernelWhisper) { w.Spec.LastSeenTime = microTime(clock.Add(-verdict.SilentAfter)) },
			active: metav1.ConditionUnknown, resolved: metav1.ConditionUnknown,
			reason: verdict.ReasonObserverSilent, message: "The observer has not written since 2026-05-04T09:50:30Z and has not ended the episode.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conditions := verdict.Whisper(whisper(tt.change), nil, clock).Conditions
			holds(t, conditions, v1alpha1.ConditionActive, tt.active, tt.reason)
			holds(t, conditions, v1alpha1.ConditionResolved, tt.resolved, tt.reason)
			holds(t, conditions, v1alpha1.ConditionAssessed, metav1.ConditionTrue, verdict.ReasonJudged)
			same(t, "message", meta.FindStatusCondition(conditions, v1alpha1.ConditionActive).Message, tt.message)
		})
	}
}

func holds(t *testing.T, conditions []metav1.Condition, kind string, status metav1.ConditionStatus, reason string) {
	t.Helper()
	c := meta.FindStatusCondition(conditions, kind)
	if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != 3 {
		t.Errorf("condition %s = %+v, want %s for %s of generation 3", kind, c, status, reason)
	}
}

// A verdict on what was judged already must not differ, or the operator would
// write for ever.
func TestSecondVerdictIsTheSame(t *testing.T) {
	w := whisper()
	w.Status = verdict.Whisper(w, reported(100), clock)
	again := verdict.Whisper(w, nil, clock.Add(time.Minute))
	if !equality.Semantic.DeepEqual(w.Status, again) {
		t.Errorf("status changed:\n got %+v\nwant %+v", again, w.Status)
	}
}

func TestTransitionTimeMovesOnlyWithTheStatus(t *testing.T) {
	w := whisper()
	w.Status = verdict.Whisper(w, nil, clock)
	later := clock.Add(time.Minute)
	w.Generation, w.Spec.EndTime = 4, w.Spec.LastSeenTime.DeepCopy()
	conditions := verdict.Whisper(w, nil, later).Conditions
	if got := meta.FindStatusCondition(conditions, v1alpha1.ConditionResolved).LastTransitionTime; !got.Time.Equal(later) {
		t.Errorf("Resolved changed at %s, want %s", got, later)
	}
	if got := meta.FindStatusCondition(conditions, v1alpha1.ConditionAssessed).LastTransitionTime; !got.Time.Equal(clock) {
		t.Errorf("Assessed changed at %s, want %s", got, clock)
	}
}

// FuzzWhisper: no spec that decodes may break the bounds of the status or panic.
func FuzzWhisper(f *testing.F) {
	f.Add("app", "Container", int64(10_000), int64(99), int64(97), int64(100), int64(712), int64(10_000), int64(100_000), int64(6_120_000))
	f.Add("", "", int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0))
	f.Add(strings.Repeat("ü", 253), "Pod", int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(1), int64(math.MaxInt64))
	f.Add("\x00\xff", "Ancestor", int64(-1), int64(math.MinInt64), int64(math.MinInt64), int64(math.MinInt64), int64(-1), int64(-1), int64(math.MinInt64), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, container, level string, window, periods, throttled, usage, demand, quota, period, held int64) {
		w := whisper(func(w *v1alpha1.KernelWhisper) {
			w.Spec.ContainerName = container
			w.Spec.KernelTruth = v1alpha1.KernelTruth{
				WindowMilliseconds: window, Periods: periods, ThrottledPeriods: throttled, UsageMillicores: usage,
				DemandMillicores: demand, QuotaMicroseconds: quota, PeriodMicroseconds: period,
				ThrottledMicroseconds: held, ThrottledAt: v1alpha1.ThrottleLevel(level),
			}
		})
		status := verdict.Whisper(w, reported(usage), clock)
		bounded(t, status.Insight, status.Recommendation, status.KernelEvidence)
		if status.MetricsLie != nil {
			bounded(t, status.MetricsLie.Claim)
		}
		bounded(t, verdict.Whisper(w, nil, clock).Insight)
	})
}

// bounded checks what the schema and a terminal ask of a sentence.
func bounded(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if n := utf8.RuneCountInString(text); n > 512 {
			t.Errorf("%d characters: %q", n, text)
		}
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			t.Errorf("not one line of text: %q", text)
		}
	}
}
