// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// changed is a limit that went from 500m, and what was measured then.
func changed(to int64, percent string, stall *int64) func(*v1alpha1.KernelWhisper) {
	return func(w *v1alpha1.KernelWhisper) {
		w.Spec.Change = &v1alpha1.ResourceChange{
			Time: microTime(clock), FromMillicores: 500, ToMillicores: to,
			Measured: &v1alpha1.KernelTruth{WindowMilliseconds: 15_000, Periods: 150, ThrottledPercent: percent, StallP99Microseconds: stall},
		}
	}
}

// periods of the quota in which the container ran after the change.
func periods(n int64) func(*v1alpha1.KernelWhisper) {
	return func(w *v1alpha1.KernelWhisper) { w.Spec.Change.Measured.Periods = n }
}

func TestOutcome(t *testing.T) {
	held, missed := ptr(true), ptr(false)
	tests := []struct {
		name      string
		whisper   *v1alpha1.KernelWhisper
		predicted string // share of periods, "" for none
		within    *bool
		met       bool
		summary   string
	}{
		{"a limit of the curve", recorded(changed(800, "2.0", ptr[int64](1_900))), "3.1", held, true,
			"The limit of container app went from 500m to 800m, and then 2.0 % of 150 active periods were throttled, p99 stall 2ms; " +
				"predicted were 3.1 % of periods throttled (1.0 to 5.6 %), p99 stall 2ms, which held; the target is met " +
				"(under 5.0 % of periods throttled, p99 stall under 5ms)."},
		{"between two points", recorded(changed(750, "6.0", nil)), "6.1", held, false,
			"The limit of container app went from 500m to 750m, and then 6.0 % of 150 active periods were throttled; " +
				"predicted were 6.1 % of periods throttled (3.0 to 9.8 %), p99 stall 17ms, which held; the target is missed " +
				"(under 5.0 % of periods throttled, p99 stall under 5ms)."},
		{"few periods, and a long stall", recorded(changed(800, "2.0", ptr[int64](5_000))), "3.1", held, false, ""},
		{"an interval that nothing falls out of", recorded(replay(func(c *v1alpha1.Counterfactual) { c.Curve[3].ThrottledPercentHigh = "100.0" }), changed(800, "2.0", nil)), "3.1", held, true,
			"The limit of container app went from 500m to 800m, and then 2.0 % of 150 active periods were throttled; " +
				"predicted were 3.1 % of periods throttled (1.0 to 100.0 %), p99 stall 2ms, an interval too wide to say much; " +
				"stalls were not measured, and the rest of the target is met (under 5.0 % of periods throttled, p99 stall under 5ms)."},
		{"outside of the interval", recorded(changed(800, "5.7", nil)), "3.1", missed, false, ""},
		{"on its edge", recorded(changed(800, "5.6", nil)), "3.1", held, false, ""},
		{"beyond a curve at whose end nothing is throttled", recorded(changed(1_200, "0.0", nil)), "0.0", held, true, ""},
		{"beyond a curve that is throttled to its end", recorded(replay(func(c *v1alpha1.Counterfactual) {
			end := &c.Curve[len(c.Curve)-1]
			end.ThrottledPercent, end.ThrottledPercentHigh = "1.0", "2.0"
		}), changed(1_200, "0.0", nil)), "", nil, true, ""},
		{"below the curve", recorded(changed(299, "70.0", nil)), "", nil, false, ""},
		{"no limit any more", recorded(changed(0, "0.0", ptr[int64](0)), periods(0)), "", nil, true,
			"The limit of container app went from 500m to none, and then no limit stopped it, p99 stall 0µs; " +
				"nothing had been predicted for that limit; the target is met (under 5.0 % of periods throttled, p99 stall under 5ms)."},
		{"nothing ran at the new limit", recorded(changed(800, "0.0", nil), periods(0)), "3.1", nil, false,
			"The limit of container app went from 500m to 800m, and then it had no active period: what that limit does was not measured."},
		{"no replay", recorded(noReplay, changed(800, "0.0", nil)), "", nil, true,
			"The limit of container app went from 500m to 800m, and then 0.0 % of 150 active periods were throttled; " +
				"nothing had been predicted for that limit; stalls were not measured, and the rest of the target is met (under 5.0 % of periods throttled, p99 stall under 5ms)."},
		{"no recording", whisper(changed(800, "0.0", nil)), "", nil, true, ""},
		{"of a container that waited for a CPU", waiting(changed(800, "0.0", nil)), "", nil, true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := verdict.Whisper(tt.whisper, nil, clock).Outcome
			if got == nil {
				t.Fatal("no outcome")
			}
			percent := ""
			if got.Predicted != nil {
				percent = got.Predicted.ThrottledPercent
			}
			same(t, "predicted", percent, tt.predicted)
			if !equality.Semantic.DeepEqual(got.WithinInterval, tt.within) || got.TargetMet != tt.met {
				t.Errorf("within %v, target met %t", got.WithinInterval, got.TargetMet)
			}
			if tt.summary != "" {
				same(t, "summary", got.Summary, tt.summary)
			}
			bounded(t, got.Summary)
		})
	}
}

func TestNoOutcomeWhileTheWindowLasts(t *testing.T) {
	w := recorded(changed(800, "2.0", nil))
	w.Spec.Change.Measured = nil
	if got := verdict.Whisper(w, nil, clock).Outcome; got != nil {
		t.Errorf("outcome %+v", got)
	}
}

// A recording at the new limit replaces the curve on which the prediction
// stood: what was predicted before stays what it was.
func TestPredictionIsOfTheTimeBefore(t *testing.T) {
	again := func(w *v1alpha1.KernelWhisper) {
		w.Spec.Bursts.Time = microTime(clock.Add(20 * time.Second))
		w.Spec.Counterfactual.Curve[3].ThrottledPercent = "4.4"
	}
	first := recorded(changed(800, "2.0", nil))
	first.Status = verdict.Whisper(first, nil, clock)
	again(first)
	if got := verdict.Whisper(first, nil, clock).Outcome.Predicted; got == nil || got.ThrottledPercent != "3.1" {
		t.Errorf("after the outcome: predicted %+v", got)
	}

	proposed := recorded()
	proposed.Status = verdict.Whisper(proposed, nil, clock)
	changed(800, "2.0", nil)(proposed)
	again(proposed)
	if got := verdict.Whisper(proposed, nil, clock).Outcome.Predicted; got == nil || got.ThrottledPercent != "3.1" {
		t.Errorf("with the outcome: predicted %+v", got)
	}

	pending := recorded()
	pending.Status = verdict.Whisper(pending, nil, clock)
	changed(800, "2.0", nil)(pending)
	measured := pending.Spec.Change.Measured
	pending.Spec.Change.Measured = nil
	again(pending)
	pending.Status = verdict.Whisper(pending, nil, clock)
	pending.Spec.Change.Measured = measured
	if got := verdict.Whisper(pending, nil, clock).Outcome.Predicted; got == nil || got.ThrottledPercent != "3.1" {
		t.Errorf("recorded again before the outcome: predicted %+v", got)
	}

	other := recorded(changed(700, "2.0", nil), again)
	if got := verdict.Whisper(other, nil, clock).Outcome.Predicted; got != nil {
		t.Errorf("a limit that nobody had a prediction for: %+v", got)
	}
}

// What the automation wrote stays when a whisper is judged again.
func TestVerdictKeepsTheAutomationsStep(t *testing.T) {
	w := recorded()
	w.Status.ResizeStep = &v1alpha1.ResizeStep{Time: microTime(clock), FromMillicores: 500, ToMillicores: 800, ThrottledPercentBefore: "30.0"}
	if got := verdict.Whisper(w, nil, clock).ResizeStep; !equality.Semantic.DeepEqual(got, w.Status.ResizeStep) {
		t.Errorf("step %+v", got)
	}
}

// FuzzRecorded: no recording that decodes may break the bounds of the status or panic.
func FuzzRecorded(f *testing.F) {
	f.Add(int64(10_000), int64(200), int64(40), int64(3_000_000), int64(1_800_000), int64(60_000), int64(2), int64(500), int64(800), "3.1", "50.0", true)
	f.Add(int64(-1), int64(-1), int64(-1), int64(-1), int64(-1), int64(-1), int64(-1), int64(-1), int64(-1), "", "x", false)
	f.Add(int64(1), int64(1<<62), int64(1<<62), int64(1<<62), int64(1<<62), int64(1<<62), int64(1<<62), int64(1<<62), int64(1<<62), "100.0", "100.0", true)
	f.Fuzz(func(t *testing.T, window, outside, stalled, cpu, parked, queued, cpus, limit, at int64, percent, slept string, lowerBound bool) {
		for _, w := range []*v1alpha1.KernelWhisper{recorded(changed(at, percent, &stalled)), waiting()} {
			b := w.Spec.Bursts
			b.WindowMilliseconds, b.OutsideActivations, b.StalledActivations, b.Activations = window, outside, stalled, stalled
			b.CPUMicroseconds, b.ParkedMicroseconds, b.QueuedMicroseconds, b.CPUs = cpu, parked, queued, cpus
			b.NeverSleptPercent, b.Threads, b.PeakCPUMicroseconds, b.RequestMillicores = slept, cpus, cpu, limit
			b.StolenMicroseconds = queued
			w.Spec.KernelTruth.RunnableThreadsMax = &stalled
			if c := w.Spec.Counterfactual; c != nil {
				c.LimitMillicores, c.LowerBound, c.BurstMicroseconds = limit, lowerBound, &parked
				c.Curve = append(c.Curve, predicted(at, percent, percent, slept, parked, cpu))
			}
			status := verdict.Whisper(w, reported(cpu), clock)
			bounded(t, status.Insight, status.Recommendation, status.KernelEvidence)
			if status.Outcome != nil {
				bounded(t, status.Outcome.Summary)
			}
			if p := status.Proposal; p != nil && (p.LimitMillicores != nil && *p.LimitMillicores < 1 || p.RequestMillicores != nil && *p.RequestMillicores < 1) {
				t.Errorf("proposal %+v", p)
			}
		}
	})
}
