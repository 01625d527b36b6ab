// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Whisper judges one episode. The metric is what metrics.k8s.io says of the
// container, nil where it says nothing; now is the time of the verdict, which
// shows only in conditions.
func Whisper(w *v1alpha1.KernelWhisper, metric *Metric, now time.Time) v1alpha1.KernelWhisperStatus {
	lie := metricsLie(w, metric)
	return v1alpha1.KernelWhisperStatus{
		ObservedGeneration: w.Generation,
		Severity:           severity(&w.Spec.KernelTruth),
		Cause:              cause(&w.Spec.KernelTruth),
		Insight:            clip(whisperInsight(&w.Spec, lie)),
		Recommendation:     clip(recommendation(&w.Spec)),
		KernelEvidence:     clip(kernelEvidence(&w.Spec.KernelTruth)),
		MetricsLie:         lie,
		Conditions:         whisperConditions(w, now),
	}
}

func whisperInsight(spec *v1alpha1.KernelWhisperSpec, lie *v1alpha1.MetricsLie) string {
	truth := &spec.KernelTruth
	if truth.ThrottledPeriods <= 0 {
		return fmt.Sprintf("The kernel counted no throttled period of container %s in %s active periods.",
			plain(spec.ContainerName), count(truth.Periods))
	}
	return fmt.Sprintf("%s stopped container %s in %s of %s active periods%s%s; %s.",
		limitInWords(truth), plain(spec.ContainerName),
		count(truth.ThrottledPeriods), count(truth.Periods), inBrackets(percent(truth.ThrottledPeriods, truth.Periods)),
		reportedInWords(lie), stallInWords(truth))
}

func limitInWords(truth *v1alpha1.KernelTruth) string {
	limit := millicores(limitMillicores(truth))
	switch truth.ThrottledAt {
	case v1alpha1.ThrottledAtPod:
		return "The pod's CPU limit of " + limit
	case v1alpha1.ThrottledAtAncestor:
		return "A CPU limit of " + limit + " above the pod"
	default:
		return "The CPU limit of " + limit
	}
}

func inBrackets(percent string) string {
	if percent == "" {
		return ""
	}
	return " (" + percent + " %)"
}

func reportedInWords(lie *v1alpha1.MetricsLie) string {
	if lie == nil {
		return ""
	}
	source := "metrics show"
	if lie.Source == v1alpha1.ComputedAverage {
		source = "the average over the same time is"
	}
	text := fmt.Sprintf(", while %s %s", source, millicores(lie.UsageMillicores))
	if lie.PercentOfLimit != "" {
		text += ", " + lie.PercentOfLimit + " % of that limit"
	}
	return text
}

// stallInWords says how much harm is known, because the percentage beside it
// does not.
func stallInWords(truth *v1alpha1.KernelTruth) string {
	if truth.StallP99Microseconds == nil {
		return "how long its work stood still each time was not measured"
	}
	return fmt.Sprintf("one activation in a hundred stood still for %s or longer", duration(*truth.StallP99Microseconds))
}

// kernelEvidence uses the names of cpu.stat, so that the reader knows where to look.
func kernelEvidence(truth *v1alpha1.KernelTruth) string {
	return fmt.Sprintf("nr_throttled %s of nr_periods %s%s, throttled for %s (summed over CPUs) in %s, quota %s per %s, at level %s",
		count(truth.ThrottledPeriods), count(truth.Periods), inBrackets(percent(truth.ThrottledPeriods, truth.Periods)),
		duration(truth.ThrottledMicroseconds), exactDuration(milliseconds(truth.WindowMilliseconds)),
		exactDuration(truth.QuotaMicroseconds), exactDuration(truth.PeriodMicroseconds), plain(string(truth.ThrottledAt)))
}
