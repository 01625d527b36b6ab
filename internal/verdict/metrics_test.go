// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

func TestMetricsLieSource(t *testing.T) {
	judged := func(w *v1alpha1.KernelWhisper) { w.Status = verdict.Whisper(w, reported(42), clock) }
	tests := []struct {
		name    string
		whisper *v1alpha1.KernelWhisper
		metric  *verdict.Metric
		source  v1alpha1.MetricsSource
		usage   int64
	}{
		{"a metric of the same time", whisper(), reported(42), v1alpha1.MetricsAPI, 42},
		{"a metric from before the episode", whisper(), &verdict.Metric{UsageMillicores: 42, Window: 15 * time.Second, End: clock.Add(-time.Minute)}, v1alpha1.ComputedAverage, 100},
		{"a metric from after it", whisper(), &verdict.Metric{UsageMillicores: 42, Window: time.Second, End: clock.Add(time.Minute)}, v1alpha1.ComputedAverage, 100},
		{"none", whisper(), nil, v1alpha1.ComputedAverage, 100},
		{"none now, one earlier for the same generation", whisper(judged), nil, v1alpha1.MetricsAPI, 42},
		{"none now, one earlier, and the episode goes on", whisper(judged, func(w *v1alpha1.KernelWhisper) { w.Generation++ }), nil, v1alpha1.ComputedAverage, 100},
		{"none now, one earlier, and the episode has ended", whisper(judged, func(w *v1alpha1.KernelWhisper) {
			w.Generation++
			w.Spec.EndTime = w.Spec.LastSeenTime.DeepCopy()
		}), nil, v1alpha1.MetricsAPI, 42},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lie := verdict.Whisper(tt.whisper, tt.metric, clock).MetricsLie
			if lie.Source != tt.source || lie.UsageMillicores != tt.usage {
				t.Errorf("lie = %s %dm, want %s %dm", lie.Source, lie.UsageMillicores, tt.source, tt.usage)
			}
		})
	}
}

// That there is no figure, that nobody answered and that there is nobody to ask are told
// apart, and what was told stays while nobody is asked again.
func TestWhyThereIsNoMetric(t *testing.T) {
	judged := func(why v1alpha1.MetricsMissing, change ...func(*v1alpha1.KernelWhisper)) *v1alpha1.KernelWhisper {
		w := whisper()
		w.Status = verdict.Whisper(w, &verdict.Metric{Missing: why}, clock)
		for _, c := range change {
			c(w)
		}
		return w
	}
	goesOn := func(w *v1alpha1.KernelWhisper) { w.Generation++ }
	ends := func(w *v1alpha1.KernelWhisper) { w.Spec.EndTime = w.Spec.LastSeenTime.DeepCopy() }
	const none, silent, noAPI = v1alpha1.MetricsNoFigure, v1alpha1.MetricsNoAnswer, v1alpha1.MetricsNoAPI
	for _, tt := range []struct {
		name    string
		whisper *v1alpha1.KernelWhisper
		metric  *verdict.Metric
		want    v1alpha1.MetricsMissing
		claim   string
	}{
		{"no figure", whisper(), &verdict.Metric{Missing: none}, none, "metrics.k8s.io has no figure for this time; "},
		{"one of another time", whisper(), &verdict.Metric{UsageMillicores: 42, Window: time.Second, End: clock.Add(time.Minute)}, none, "metrics.k8s.io has no figure for this time; "},
		{"no answer", whisper(), &verdict.Metric{Missing: silent}, silent, "metrics.k8s.io did not answer; "},
		{"no API", whisper(), &verdict.Metric{Missing: noAPI}, noAPI, "this cluster has no metrics.k8s.io; "},
		{"not asked", whisper(), nil, "", "of metrics.k8s.io no figure is known for this time; "},
		{"not asked again", judged(silent), nil, silent, "metrics.k8s.io did not answer; "},
		{"asked again", judged(silent), &verdict.Metric{Missing: none}, none, "metrics.k8s.io has no figure for this time; "},
		{"not asked for the next testimony", judged(silent, goesOn), nil, "", "of metrics.k8s.io no figure is known for this time; "},
		{"ended", judged(silent, goesOn, ends), nil, silent, "metrics.k8s.io did not answer; "},
		{"a figure after all", judged(silent), reported(42), "", "metrics.k8s.io reports an average over 15s of 42m"},
		{"a window of no whole seconds", whisper(), &verdict.Metric{UsageMillicores: 42, Window: 14_386_215_000, End: clock}, "", "metrics.k8s.io reports an average over 14.4s of 42m"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lie := verdict.Whisper(tt.whisper, tt.metric, clock).MetricsLie
			same(t, "missing", string(lie.Missing), string(tt.want))
			contains(t, lie.Claim, tt.claim)
		})
	}
}

func TestNeedsMetric(t *testing.T) {
	judged := func(metric *verdict.Metric) func(*v1alpha1.KernelWhisper) {
		return func(w *v1alpha1.KernelWhisper) { w.Status = verdict.Whisper(w, metric, clock) }
	}
	goesOn := func(w *v1alpha1.KernelWhisper) { w.Generation++ }
	ends := func(w *v1alpha1.KernelWhisper) { w.Spec.EndTime = w.Spec.LastSeenTime.DeepCopy() }
	tests := []struct {
		name    string
		whisper *v1alpha1.KernelWhisper
		after   time.Duration // the last testimony
		want    bool
	}{
		{"not judged", whisper(), 0, true},
		{"not judged, and late", whisper(), time.Hour, true},
		{"judged with a metric", whisper(judged(reported(42))), 0, false},
		{"judged without", whisper(judged(nil)), verdict.MetricLag - time.Second, true},
		{"judged without, and no metric of that time will come", whisper(judged(nil)), verdict.MetricLag, false},
		{"judged with a metric, and the episode goes on", whisper(judged(reported(42)), goesOn), 0, true},
		{"ended", whisper(ends), 0, false},
		{"judged without, and ended", whisper(judged(nil), goesOn, ends), 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := verdict.NeedsMetric(tt.whisper, tt.whisper.Spec.LastSeenTime.Add(tt.after)); got != tt.want {
				t.Errorf("NeedsMetric = %t, want %t", got, tt.want)
			}
		})
	}
}

// A wait is summed over threads, and so can be longer than the time in which it was.
func TestTheClaimBesideAWait(t *testing.T) {
	w := waiting(bursts(func(b *v1alpha1.Bursts) { b.QueuedMicroseconds, b.WindowMilliseconds = 3_380_000, 3_000 }))
	contains(t, verdict.Whisper(w, reported(18), clock).MetricsLie.Claim,
		"metrics.k8s.io reports an average over 15s of 18m; it counts the time on a CPU and not the wait for one, which was 3.38s over all threads in 3.00s.")
}
