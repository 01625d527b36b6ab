// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Whisper judges one episode by the default target. The metric is what
// metrics.k8s.io says of the container, nil where it says nothing; now is the
// time of the verdict, which shows only in conditions.
func Whisper(w *v1alpha1.KernelWhisper, metric *Metric, now time.Time) v1alpha1.KernelWhisperStatus {
	return DefaultTarget().Whisper(w, metric, now)
}

// Whisper judges one episode, as the function of that name does, by this target.
// What the automation wrote into the status stays.
func (t Target) Whisper(w *v1alpha1.KernelWhisper, metric *Metric, now time.Time) v1alpha1.KernelWhisperStatus {
	s := newScene(w)
	lie := metricsLie(w, s, metric)
	severity, basis := severity(s)
	causes := causes(s)
	proposal := pending(w, proposal(s, t, causes))
	status := v1alpha1.KernelWhisperStatus{
		ObservedGeneration: w.Generation,
		Severity:           severity,
		Insight:            clip(whisperInsight(s, lie)),
		Recommendation:     clip(recommendation(s, t, causes, proposal)),
		KernelEvidence:     clip(kernelEvidence(s)),
		MetricsLie:         lie,
		Proposal:           proposal,
		Outcome:            outcome(w, s, t),
		ResizeStep:         w.Status.ResizeStep.DeepCopy(),
		Conditions:         whisperConditions(w, s.basisInWords(basis), now),
	}
	if len(causes) > 0 {
		status.Cause = causes[0]
	}
	if len(causes) > 1 {
		status.SecondCause = causes[1]
	}
	return status
}

func whisperInsight(s *scene, lie *v1alpha1.MetricsLie) string {
	truth := s.truth
	if s.contention() {
		return contentionInsight(s)
	}
	if truth.ThrottledPeriods <= 0 {
		return fmt.Sprintf("The kernel counted no throttled period of container %s in %s active periods.",
			plain(s.spec.ContainerName), count(truth.Periods))
	}
	return fmt.Sprintf("%s stopped container %s in %s of %s active periods%s%s; %s.",
		limitInWords(truth), plain(s.spec.ContainerName),
		count(truth.ThrottledPeriods), count(truth.Periods), inBrackets(percent(truth.ThrottledPeriods, truth.Periods)),
		s.reportedInWords(lie), s.underAnotherLimit()+stallInWords(s))
}

// underAnotherLimit introduces what a recording tells where the counters are already those
// of another limit than it was made under.
func (s *scene) underAnotherLimit() string {
	limit, when := RecordedAt(s.spec)
	if s.bursts == nil || when == SameLimit {
		return ""
	}
	that := "before that, "
	if when == AfterChange {
		that = "after that, "
	}
	if limit == 0 {
		return that + "without a limit, "
	}
	return that + "at a limit of " + millicores(limit) + ", "
}

// recordedElsewhere says at which limit the recording was made, where the counters are of
// another.
func (s *scene) recordedElsewhere() string {
	limit, when := RecordedAt(s.spec)
	switch {
	case s.bursts == nil || when == SameLimit:
		return ""
	case limit == 0:
		return "recorded without a limit, " + when.String()
	}
	return "recorded at " + millicores(limit) + ", " + when.String()
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

func (s *scene) reportedInWords(lie *v1alpha1.MetricsLie) string {
	if lie == nil {
		return ""
	}
	source := "metrics show"
	if lie.Source == v1alpha1.ComputedAverage {
		source = "the average over the same time is"
	}
	text := fmt.Sprintf(", while %s %s", source, millicores(lie.UsageMillicores))
	when := MetricOf(s.spec, lie)
	switch {
	case when == SameLimit && lie.PercentOfLimit != "":
		text += ", " + lie.PercentOfLimit + " % of that limit"
	case when == SameLimit:
	case when == AcrossChange && s.spec.Change == nil:
		text += " across a change of the limit"
	case lie.PercentOfLimit != "":
		text += fmt.Sprintf(" %s, %s %% of the limit of %s", when, lie.PercentOfLimit, millicores(lie.LimitMillicores))
	default:
		text += " " + when.String()
	}
	return text
}

// stallInWords says how much harm is known and to whom, because the percentage
// beside it does not.
func stallInWords(s *scene) string {
	stall := s.truth.StallP99Microseconds
	switch {
	case s.bursts != nil && s.outside() == 0:
		return fmt.Sprintf("in %s of recording nothing woke it from outside, so nobody was seen to wait for it", duration(s.recorded().Microseconds()))
	case s.bursts != nil && s.servesNobody():
		return fmt.Sprintf("its threads never sleep (%s %% of its CPU time), so nobody was seen to wait for it", plain(s.bursts.NeverSleptPercent))
	case stall == nil:
		return "how long its work stood still each time was not measured"
	case s.bursts == nil:
		return fmt.Sprintf("one activation in a hundred stood still for %s or longer", duration(*stall))
	}
	stalled := s.bursts.StalledActivations
	text := fmt.Sprintf("%s of %s activations that were woken from outside%s stood still for 1ms or longer",
		count(stalled), count(s.outside()), inBrackets(percent(stalled, s.outside())))
	if stalled > 0 {
		text += fmt.Sprintf(", %.1f a second", s.perSecond(stalled))
	}
	if s.outside() < hundred {
		return text + "; the longest for " + duration(*stall)
	}
	return text + fmt.Sprintf("; one in a hundred for %s or longer", duration(*stall))
}

// hundred: of fewer the 99th percentile is the greatest, and is told as that.
const hundred = 100

// kernelEvidence uses the names of cpu.stat, so that the reader knows where to look.
func kernelEvidence(s *scene) string {
	if s.contention() {
		return contentionEvidence(s)
	}
	truth := s.truth
	return fmt.Sprintf("nr_throttled %s of nr_periods %s%s, throttled for %s (summed over CPUs) in %s, quota %s per %s, at level %s",
		count(truth.ThrottledPeriods), count(truth.Periods), inBrackets(percent(truth.ThrottledPeriods, truth.Periods)),
		duration(truth.ThrottledMicroseconds), exactDuration(milliseconds(truth.WindowMilliseconds)),
		exactDuration(truth.QuotaMicroseconds), exactDuration(truth.PeriodMicroseconds), plain(string(truth.ThrottledAt)))
}
