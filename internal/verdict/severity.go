// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Thresholds of severity without a recording.
//
// A percentage of throttled periods is not harm: a job that never waits for
// anybody may be stopped in every period and only finish later, and a request
// path may lose a deadline in one period of twenty. harm.go judges stalls. Until
// they were measured, two figures have to agree. The share of throttled periods
// says how often the limit struck. The share of the CPU time that was held
// back says how much it took; it takes the container to have had work all the
// time, so it cannot prove harm, but a small one makes harm unlikely. The severity is the lower that the two allow.
const (
	criticalPeriods = 0.50 // of active periods: every second one is cut short
	warningPeriods  = 0.10 // of active periods
	criticalHeld    = 0.50 // of what it would have used: the work takes twice as long
	warningHeld     = 0.10 // of what it would have used
)

// basis is what a severity follows from.
type basis string

const (
	basisStalls   basis = "the stalls of activations that were woken from outside, how many were hit and how often"
	basisNobody   basis = "the recording: nobody was seen to wait for this container"
	basisStallP99 basis = "the stall per activation"
	basisWait     basis = "the time for which activations that were woken from outside waited for a CPU"
	basisCounters basis = "the share of throttled periods and the CPU time held back; stalls were not measured"
	basisNothing  basis = "nothing: waits for a CPU were not measured"
)

func severity(s *scene) (v1alpha1.Severity, basis) {
	switch {
	case s.bursts != nil && s.servesNobody():
		return v1alpha1.SeverityInfo, basisNobody
	case s.contention():
		return severityOfWait(s)
	case s.truth.StallP99Microseconds == nil:
		return severityOfCounters(s.truth), basisCounters
	case s.bursts == nil:
		return grade(share(*s.truth.StallP99Microseconds, s.truth.PeriodMicroseconds), warningStall, criticalStall), basisStallP99
	default:
		return severityOfStalls(s, *s.truth.StallP99Microseconds), basisStalls
	}
}

// basisInWords tells of a recording at another limit than that of the counters.
func (s *scene) basisInWords(b basis) string {
	elsewhere := s.recordedElsewhere()
	if elsewhere == "" || b == basisCounters || b == basisNothing {
		return string(b)
	}
	return string(b) + "; " + elsewhere
}

func severityOfCounters(truth *v1alpha1.KernelTruth) v1alpha1.Severity {
	byPeriods := grade(share(truth.ThrottledPeriods, truth.Periods), warningPeriods, criticalPeriods)
	held, known := heldBack(truth)
	if !known {
		return byPeriods
	}
	return milder(byPeriods, grade(held, warningHeld, criticalHeld))
}

func grade(value, warning, critical float64) v1alpha1.Severity {
	switch {
	case value >= critical:
		return v1alpha1.SeverityCritical
	case value >= warning:
		return v1alpha1.SeverityWarning
	default:
		return v1alpha1.SeverityInfo
	}
}

func milder(a, b v1alpha1.Severity) v1alpha1.Severity {
	for _, s := range []v1alpha1.Severity{v1alpha1.SeverityInfo, v1alpha1.SeverityWarning} {
		if a == s || b == s {
			return s
		}
	}
	return v1alpha1.SeverityCritical
}

// heldBack is the greatest share of the CPU time that the quota can have
// held back. It is unknown where demand is below usage, which no measurement
// gives.
func heldBack(truth *v1alpha1.KernelTruth) (held float64, known bool) {
	if truth.DemandMillicores <= 0 || truth.DemandMillicores < truth.UsageMillicores {
		return 0, false
	}
	return share(truth.DemandMillicores-truth.UsageMillicores, truth.DemandMillicores), true
}
