// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func proposed(limit int64) *v1alpha1.Proposal {
	return &v1alpha1.Proposal{LimitMillicores: &limit, Predicted: &v1alpha1.Predicted{ThrottledPercent: "3.0"}}
}

func outcome(limit int64, percent string, within *bool) *v1alpha1.ChangeOutcome {
	o := &v1alpha1.ChangeOutcome{
		Time: metav1.NewMicroTime(clock), LimitMillicores: limit, MeasuredThrottledPercent: percent, MeasuredPeriods: 90, WithinInterval: within, TargetMet: true,
	}
	if within != nil {
		o.Predicted = &v1alpha1.Predicted{ThrottledPercent: "3.0"}
	}
	return o
}

// Each prediction and each measured change is counted once, however often the
// whisper is written.
func TestRecord(t *testing.T) {
	registry := prometheus.NewRegistry()
	telemetry, err := NewTelemetry(registry)
	if err != nil {
		t.Fatal(err)
	}
	within := true
	states := []v1alpha1.KernelWhisperStatus{
		{},
		{Proposal: proposed(800)},
		{Proposal: proposed(800), Severity: v1alpha1.SeverityInfo},
		{Proposal: proposed(800), Outcome: outcome(800, "5.0", &within)},
		{Proposal: proposed(800), Outcome: outcome(800, "5.0", &within), Severity: v1alpha1.SeverityInfo},
	}
	for i := range states[1:] {
		telemetry.record(&states[i], &states[i+1])
	}
	stepped := v1alpha1.KernelWhisperStatus{
		ResizeStep: &v1alpha1.ResizeStep{Time: metav1.NewMicroTime(clock.Add(-time.Second)), ToMillicores: 600},
		Outcome:    outcome(600, "50.0", nil),
	}
	telemetry.record(&v1alpha1.KernelWhisperStatus{}, &stepped)
	telemetry.record(&v1alpha1.KernelWhisperStatus{Proposal: proposed(800)}, &v1alpha1.KernelWhisperStatus{Outcome: outcome(700, "0.0", nil)})

	for name, want := range map[string]float64{
		"kernel_gossip_operator_predictions_total":                                        1,
		"kernel_gossip_operator_changes_measured_total source=proposal target=met":        1,
		"kernel_gossip_operator_changes_measured_total source=automation target=met":      1,
		"kernel_gossip_operator_changes_measured_total source=other target=met":           1,
		"kernel_gossip_operator_prediction_intervals_total source=proposal within=true":   1,
		"kernel_gossip_operator_prediction_intervals_total source=automation within=true": 0,
		"kernel_gossip_operator_prediction_error_ratio source=proposal":                   0.02,
		"kernel_gossip_operator_prediction_error_ratio source=automation":                 0,
		"kernel_gossip_operator_changes_measured_total source=automation target=missed":   0,
		"kernel_gossip_operator_prediction_intervals_total source=other within=false":     0,
		"kernel_gossip_operator_resizes_total result=raised":                              0,
	} {
		if got, found := gathered(t, registry)[name]; !found || got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%s is %v (found %t), want %v", name, got, found, want)
		}
	}
}

// gathered are all values by name and labels, of histograms the sum.
func gathered(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.Metric {
			name := family.GetName()
			for _, label := range metric.Label {
				name += " " + label.GetName() + "=" + label.GetValue()
			}
			if family.GetType() == dto.MetricType_HISTOGRAM {
				out[name] = metric.Histogram.GetSampleSum()
				continue
			}
			out[name] = metric.Counter.GetValue()
		}
	}
	return out
}

func TestSooner(t *testing.T) {
	for _, tt := range [][3]time.Duration{{0, 0, 0}, {0, 5, 5}, {5, 0, 5}, {5, 3, 3}, {3, 5, 3}} {
		if got := sooner(tt[0], tt[1]); got != tt[2] {
			t.Errorf("sooner(%d, %d) = %d", tt[0], tt[1], got)
		}
	}
}
