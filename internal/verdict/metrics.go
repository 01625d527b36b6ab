// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"
	"regexp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Metric is what metrics.k8s.io reports of one container, or why it reports nothing.
type Metric struct {
	// Missing is empty where there are figures.
	Missing v1alpha1.MetricsMissing
	// UsageMillicores is the average over the window.
	UsageMillicores int64
	// Window that the average covers.
	Window time.Duration
	// End of the window.
	End time.Time
}

// percentOfLimit is the pattern of the field; a figure that does not fit it
// (more than a million percent) is left out.
var percentOfLimit = regexp.MustCompile(`^[0-9]{1,6}\.[0-9]$`)

// metricsLie sets the metric's claim beside the whisper. Of a metric that was
// read earlier for the same testimony, or for an episode that has ended since,
// the figures are kept: what a metric said then cannot be asked for again.
func metricsLie(w *v1alpha1.KernelWhisper, s *scene, metric *Metric) *v1alpha1.MetricsLie {
	lie := figures(w, metric)
	if lie.WindowMilliseconds < 1 || lie.UsageMillicores < 0 {
		return nil
	}
	// One that was kept is of a limit that a later change no longer tells.
	if lie.LimitMillicores <= 0 {
		lie.LimitMillicores = metricLimit(&w.Spec, MetricOf(&w.Spec, lie))
	}
	lie.PercentOfLimit = reportedPercent(lie.UsageMillicores, lie.LimitMillicores)
	lie.Claim = clip(claim(lie, s))
	return lie
}

func figures(w *v1alpha1.KernelWhisper, metric *Metric) *v1alpha1.MetricsLie {
	if metric != nil && metric.Missing == "" && overlaps(metric, &w.Spec) {
		end := metav1.NewMicroTime(metric.End)
		return &v1alpha1.MetricsLie{
			Source:             v1alpha1.MetricsAPI,
			WindowMilliseconds: metric.Window.Milliseconds(),
			Time:               &end,
			UsageMillicores:    metric.UsageMillicores,
		}
	}
	if earlier := w.Status.MetricsLie; earlier != nil && keeps(w, earlier) {
		return earlier.DeepCopy()
	}
	return &v1alpha1.MetricsLie{
		Source:             v1alpha1.ComputedAverage,
		Missing:            missing(w, metric),
		WindowMilliseconds: w.Spec.KernelTruth.WindowMilliseconds,
		Time:               w.Spec.LastSeenTime.DeepCopy(),
		UsageMillicores:    w.Spec.KernelTruth.UsageMillicores,
	}
}

// missing is why there is no figure: as the metrics API was asked last for the same
// testimony, or before the episode ended.
func missing(w *v1alpha1.KernelWhisper, metric *Metric) v1alpha1.MetricsMissing {
	switch earlier := w.Status.MetricsLie; {
	case metric != nil && metric.Missing != "":
		return metric.Missing
	case metric != nil:
		return v1alpha1.MetricsNoFigure
	case earlier != nil && sameTestimony(w):
		return earlier.Missing
	}
	return ""
}

// MetricLag is how long after a testimony a metric may still appear whose
// window overlaps it: a pipeline that averages over half a minute and looks
// every quarter of one is that late, most of all with a container that has just
// started.
const MetricLag = time.Minute

// NeedsMetric says whether the metrics API has to be asked before a verdict on
// this whisper: for each generation of an episode that lasts, until there is a
// figure, and for MetricLag at most.
func NeedsMetric(w *v1alpha1.KernelWhisper, now time.Time) bool {
	switch {
	case w.Spec.EndTime != nil:
		return false
	case w.Status.ObservedGeneration != w.Generation:
		return true
	}
	lie := w.Status.MetricsLie
	return (lie == nil || lie.Source != v1alpha1.MetricsAPI) && SilentFor(&w.Spec, now) < MetricLag
}

func keeps(w *v1alpha1.KernelWhisper, earlier *v1alpha1.MetricsLie) bool {
	if earlier.Source != v1alpha1.MetricsAPI || earlier.Time == nil {
		return false
	}
	return sameTestimony(w)
}

// sameTestimony is true where the status before this verdict is of a testimony for which
// the metrics API is not asked again from the beginning.
func sameTestimony(w *v1alpha1.KernelWhisper) bool {
	return w.Spec.EndTime != nil || w.Status.ObservedGeneration == w.Generation
}

// overlaps is true where the metric's window and the episode share a moment; a
// metric from another time says nothing about it.
func overlaps(metric *Metric, spec *v1alpha1.KernelWhisperSpec) bool {
	return !metric.End.Before(spec.StartTime.Time) &&
		!metric.End.Add(-metric.Window).After(spec.LastSeenTime.Time)
}

// reportedPercent is absent without a limit.
func reportedPercent(usage, limit int64) string {
	text := percent(usage, limit)
	if !percentOfLimit.MatchString(text) {
		return ""
	}
	return text
}

// claim is empty where no period was throttled: then the metric hides nothing.
func claim(lie *v1alpha1.MetricsLie, s *scene) string {
	truth := s.truth
	switch {
	case s.contention():
		return contentionClaim(lie, s)
	case truth.ThrottledPeriods <= 0:
		return ""
	}
	ranOut := fmt.Sprintf("the quota of %s per %s ran out in %s of %s periods.", exactDuration(truth.QuotaMicroseconds),
		exactDuration(truth.PeriodMicroseconds), count(truth.ThrottledPeriods), count(truth.Periods))
	switch MetricOf(s.spec, lie) {
	case BeforeChange:
		return s.metricInWords(lie) + ", from before the limit changed; after that " + ranOut
	case AfterChange:
		return s.metricInWords(lie) + ", from after the limit changed; before that " + ranOut
	case AcrossChange:
		return s.metricInWords(lie) + ", across a change of the limit; an average does not show that " + ranOut
	}
	return s.metricInWords(lie) + "; an average does not show that " + ranOut
}

func missingInWords(why v1alpha1.MetricsMissing) string {
	switch why {
	case v1alpha1.MetricsNoFigure:
		return "metrics.k8s.io has no figure for this time"
	case v1alpha1.MetricsNoAnswer:
		return "metrics.k8s.io did not answer"
	case v1alpha1.MetricsNoAPI:
		return "this cluster has no metrics.k8s.io"
	default:
		return "of metrics.k8s.io no figure is known for this time"
	}
}

// averagedOver writes a window, which the metrics API tells to the nanosecond.
func averagedOver(us int64) string {
	if us%1_000_000 == 0 {
		return exactDuration(us)
	}
	return duration(us)
}

func (s *scene) metricInWords(lie *v1alpha1.MetricsLie) string {
	window := averagedOver(milliseconds(lie.WindowMilliseconds))
	text := fmt.Sprintf("metrics.k8s.io reports an average over %s of %s", window, millicores(lie.UsageMillicores))
	if lie.Source == v1alpha1.ComputedAverage {
		text = fmt.Sprintf("%s; the average over %s is %s", missingInWords(lie.Missing), window, millicores(lie.UsageMillicores))
	}
	switch {
	case lie.PercentOfLimit == "":
		return text
	case MetricOf(s.spec, lie) == SameLimit:
		return text + ", " + lie.PercentOfLimit + " % of the limit"
	}
	return text + ", " + lie.PercentOfLimit + " % of the limit of " + millicores(lie.LimitMillicores)
}
