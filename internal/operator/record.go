// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"math"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// Values of the label "source": by whom a limit was changed, as far as the
// whisper tells.
const (
	sourceAutomation = "automation" // the operator itself
	sourceProposal   = "proposal"   // somebody, to exactly the limit that was proposed
	sourceOther      = "other"
)

// record of all predictions: how many were made, and how those fared that
// somebody put to the test.
type record struct {
	predictions prometheus.Counter
	errors      *prometheus.HistogramVec
	intervals   *prometheus.CounterVec
	changes     *prometheus.CounterVec
}

func newRecord() record {
	return record{
		predictions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kernel_gossip_operator_predictions_total",
			Help: "Limits proposed with a prediction of what they would do.",
		}),
		errors: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "kernel_gossip_operator_prediction_error_ratio",
			Help:    "Difference between the predicted and the measured share of throttled periods after a change of the limit, 0 to 1, without its sign.",
			Buckets: []float64{0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5},
		}, []string{"source"}),
		intervals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kernel_gossip_operator_prediction_intervals_total",
			Help: "Predictions put to the test, by whether the measured share lay within the predicted interval.",
		}, []string{"source", "within"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kernel_gossip_operator_changes_measured_total",
			Help: "Changes of a limit that were measured, predicted or not, by whether the target was met then.",
		}, []string{"source", "target"}),
	}
}

func (r record) collectors() []prometheus.Collector {
	return []prometheus.Collector{r.predictions, r.errors, r.intervals, r.changes}
}

func (r record) initialise() {
	for _, source := range []string{sourceAutomation, sourceProposal, sourceOther} {
		r.errors.WithLabelValues(source)
		for _, within := range []bool{true, false} {
			r.intervals.WithLabelValues(source, strconv.FormatBool(within))
		}
		for _, target := range []string{targetMet, targetMissed} {
			r.changes.WithLabelValues(source, target)
		}
	}
}

// Values of the label "target".
const (
	targetMet    = "met"
	targetMissed = "missed"
)

// record counts what a status says that the one before did not.
func (t *Telemetry) record(before, now *v1alpha1.KernelWhisperStatus) {
	if p := now.Proposal; p != nil && p.Predicted != nil && !equality.Semantic.DeepEqual(before.Proposal, p) {
		t.track.predictions.Inc()
	}
	o := now.Outcome
	if o == nil || verdict.Unmeasured(o) || before.Outcome != nil && before.Outcome.Time.Equal(&o.Time) {
		return
	}
	source := sourceOf(before, now)
	target := targetMissed
	if o.TargetMet {
		target = targetMet
	}
	t.track.changes.WithLabelValues(source, target).Inc()
	if o.WithinInterval != nil {
		t.track.intervals.WithLabelValues(source, strconv.FormatBool(*o.WithinInterval)).Inc()
	}
	if off, known := predictionError(o); known {
		t.track.errors.WithLabelValues(source).Observe(off)
	}
}

func sourceOf(before, now *v1alpha1.KernelWhisperStatus) string {
	limit := now.Outcome.LimitMillicores
	if step := now.ResizeStep; step != nil && step.ToMillicores == limit {
		return sourceAutomation
	}
	for _, p := range []*v1alpha1.Proposal{before.Proposal, now.Proposal} {
		if p != nil && p.LimitMillicores != nil && *p.LimitMillicores == limit {
			return sourceProposal
		}
	}
	return sourceOther
}

func predictionError(o *v1alpha1.ChangeOutcome) (ratio float64, known bool) {
	if o.Predicted == nil {
		return 0, false
	}
	predicted, errPredicted := strconv.ParseFloat(o.Predicted.ThrottledPercent, 64)
	measured, errMeasured := strconv.ParseFloat(o.MeasuredThrottledPercent, 64)
	return math.Abs(predicted-measured) / 100, errPredicted == nil && errMeasured == nil
}
