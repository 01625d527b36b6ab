// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// raised raises the limit from 500m to 800m so long before the verdict, and the counters
// are of the new one.
func raised(ago time.Duration) func(*v1alpha1.KernelWhisper) {
	return func(w *v1alpha1.KernelWhisper) {
		w.Spec.Change = &v1alpha1.ResourceChange{Time: microTime(clock.Add(-ago)), FromMillicores: 500, ToMillicores: 800}
		w.Spec.Bursts.Time = microTime(clock.Add(-20 * time.Second))
		w.Spec.Bursts.LimitMillicores, w.Spec.Bursts.PodLimitMillicores = ptr[int64](500), 700
		w.Spec.KernelTruth.QuotaMicroseconds, w.Spec.KernelTruth.WindowMilliseconds = 80_000, 2_000
	}
}

func atPod(w *v1alpha1.KernelWhisper) {
	w.Spec.KernelTruth.ThrottledAt, w.Spec.KernelTruth.QuotaMicroseconds = v1alpha1.ThrottledAtPod, 100_000
}

// A metric that averages over a time before the limit changed is held against the limit of
// that time, and one across the change against none. The metric here ends 5 s before the
// verdict, after a window of 15 s.
func TestThePercentOfAMetricIsOfItsOwnTime(t *testing.T) {
	const ranOut = "the quota of 80ms per 100ms ran out in 27 of 90 periods."
	lately := func(ago time.Duration) func(*v1alpha1.KernelWhisper) {
		return func(w *v1alpha1.KernelWhisper) { at := microTime(clock.Add(-ago)); w.Spec.LimitSince = &at }
	}
	older := func(w *v1alpha1.KernelWhisper) { w.Spec.Bursts = nil; w.Spec.Counterfactual = nil }
	for _, tt := range []struct {
		name           string
		whisper        *v1alpha1.KernelWhisper
		metric         *verdict.Metric
		percent        string
		limit          int64
		claim, insight string
	}{
		{"no change", recorded(), reported(250), "50.0", 500,
			"of 250m, 50.0 % of the limit; an average does not show that the quota of 50ms", "metrics show 250m, 50.0 % of that limit;"},
		{"before the change", recorded(raised(3 * time.Second)), reported(250), "50.0", 500,
			"of 250m, 50.0 % of the limit of 500m, from before the limit changed; after that " + ranOut, "metrics show 250m before the change, 50.0 % of the limit of 500m;"},
		{"across it", recorded(raised(10 * time.Second)), reported(250), "", 0,
			"of 250m, across a change of the limit; an average does not show that " + ranOut, "metrics show 250m across the change;"},
		{"it may have been made up to a second before it was seen", recorded(raised(4500 * time.Millisecond)), reported(250), "", 0,
			"of 250m, across a change of the limit; ", "metrics show 250m across the change;"},
		{"after it", recorded(raised(20 * time.Second)), reported(250), "31.3", 800,
			"of 250m, 31.3 % of the limit; an average does not show that " + ranOut, "metrics show 250m, 31.3 % of that limit;"},
		{"before it there was none", recorded(raised(3*time.Second), func(w *v1alpha1.KernelWhisper) { w.Spec.Change.FromMillicores = 0 }), reported(250), "", 0,
			"of 250m, from before the limit changed; after that " + ranOut, "metrics show 250m before the change;"},
		{"before it, at the pod's limit of the recording", recorded(raised(3*time.Second), atPod), reported(350), "50.0", 700,
			"of 350m, 50.0 % of the limit of 700m, from before the limit changed; ", "metrics show 350m before the change, 50.0 % of the limit of 700m;"},
		{"before it, at a pod's limit that nobody wrote down", recorded(raised(3*time.Second), atPod, older), reported(350), "", 0,
			"of 350m, from before the limit changed; ", "metrics show 350m before the change;"},
		{"across a change before the episode", recorded(lately(10 * time.Second)), reported(250), "", 0,
			"of 250m, across a change of the limit; an average does not show that ", "metrics show 250m across a change of the limit;"},
		{"after one before the episode", recorded(lately(20 * time.Second)), reported(250), "50.0", 500,
			"of 250m, 50.0 % of the limit; ", "metrics show 250m, 50.0 % of that limit;"},
		{"across one before the episode, with another since", recorded(raised(3*time.Second), lately(10*time.Second)), reported(250), "", 0,
			"of 250m, across a change of the limit; ", "metrics show 250m across the change;"},
		{"the average of the counters, after one before the episode", recorded(lately(10 * time.Second)), nil, "60.0", 500,
			"300m, 60.0 % of the limit; ", "the average over the same time is 300m, 60.0 % of that limit;"},
		{"the average of the counters is of their limit", recorded(raised(3 * time.Second)), nil, "37.5", 800,
			"300m, 37.5 % of the limit; ", "the average over the same time is 300m, 37.5 % of that limit;"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status := verdict.Whisper(tt.whisper, tt.metric, clock)
			lie := status.MetricsLie
			same(t, "percent", lie.PercentOfLimit, tt.percent)
			if lie.LimitMillicores != tt.limit {
				t.Errorf("limit %d, want %d", lie.LimitMillicores, tt.limit)
			}
			contains(t, lie.Claim, tt.claim)
			contains(t, status.Insight, tt.insight)
		})
	}
}

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q has not %q", text, part)
	}
}

// Of an ended episode the metric's figures are kept, with the limit that they are of,
// whatever limit comes later.
func TestAKeptMetricKeepsItsLimit(t *testing.T) {
	w := recorded(raised(3 * time.Second))
	w.Status = verdict.Whisper(w, reported(250), clock)
	w.Generation++
	w.Spec.EndTime = w.Spec.LastSeenTime.DeepCopy()
	w.Spec.Change = &v1alpha1.ResourceChange{Time: microTime(clock.Add(time.Minute)), FromMillicores: 800, ToMillicores: 900}
	lie := verdict.Whisper(w, nil, clock.Add(time.Minute)).MetricsLie
	if lie.LimitMillicores != 500 || lie.PercentOfLimit != "50.0" {
		t.Errorf("%+v", lie)
	}
}

func TestWhenARecordingWasMade(t *testing.T) {
	later := bursts(func(b *v1alpha1.Bursts) { b.Time, b.LimitMillicores = microTime(clock), ptr[int64](900) })
	sibling := func(w *v1alpha1.KernelWhisper) { w.Spec.Change = nil }
	for _, tt := range []struct {
		name    string
		whisper *v1alpha1.KernelWhisper
		limit   int64
		when    verdict.When
	}{
		{"nothing recorded", whisper(), 0, verdict.SameLimit},
		{"at the same limit", recorded(bursts(func(b *v1alpha1.Bursts) { b.LimitMillicores = ptr[int64](500) })), 500, verdict.SameLimit},
		{"before the change", recorded(raised(3 * time.Second)), 500, verdict.BeforeChange},
		{"after the change, of which the counters have shown nothing", recorded(noReplay, later), 900, verdict.AfterChange},
		{"without a limit", recorded(noReplay, bursts(func(b *v1alpha1.Bursts) { b.LimitMillicores = ptr[int64](0) })), 0, verdict.BeforeChange},
		{"the pod's limit is another one, not the container's", recorded(raised(3*time.Second), atPod, sibling), 700, verdict.BeforeChange},
		{"the pod's limit struck, and has not changed", recorded(raised(time.Hour), atPod, truth(func(k *v1alpha1.KernelTruth) { k.QuotaMicroseconds = 70_000 })), 700, verdict.SameLimit},
		{"an ancestor's struck, and the container's changed", recorded(raised(3*time.Second), truth(func(k *v1alpha1.KernelTruth) {
			k.ThrottledAt = v1alpha1.ThrottledAtAncestor
		})), 500, verdict.BeforeChange},
	} {
		limit, when := verdict.RecordedAt(&tt.whisper.Spec)
		if limit != tt.limit || when != tt.when {
			t.Errorf("%s: %d %q, want %d %q", tt.name, limit, when, tt.limit, tt.when)
		}
	}
}

// What follows from a recording at another limit than that of the counters says so.
func TestAVerdictOnARecordingAtAnotherLimitSaysSo(t *testing.T) {
	const elsewhere = "ecorded at 500m, before the change"
	for name, w := range map[string]*v1alpha1.KernelWhisper{"same": recorded(), "other": recorded(raised(3 * time.Second))} {
		status := verdict.Whisper(w, nil, clock)
		basis := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAssessed).Message
		for what, text := range map[string]string{"recommendation": status.Recommendation, "basis": basis} {
			if strings.Contains(text, elsewhere) != (name == "other") {
				t.Errorf("%s, %s: %q", name, what, text)
			}
		}
		contains(t, status.Recommendation, "Or a burst of 32ms at 500m (")
		bounded(t, status.Recommendation)
	}
}

// A request that the limit caps is not worded as what was wanted.
func TestARequestThatTheLimitCapsSaysSo(t *testing.T) {
	const free, capped = "A request of 820m entitles it to what it wanted in its busiest 100ms", "It wanted 820m in its busiest 100ms; a request cannot exceed the limit, so one of 400m is proposed"
	contains(t, verdict.Whisper(waiting(), nil, clock).Recommendation, free)
	got := verdict.Whisper(waiting(replayless(400)), nil, clock).Recommendation
	contains(t, got, capped)
	if strings.Contains(got, "entitles") {
		t.Errorf("%q", got)
	}
}
