// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Thresholds of severity.
//
// A percentage of throttled periods is not harm: a job that never waits for
// anybody may be stopped in every period and only finish later, and a request
// path may lose a deadline in one period of twenty. So stalls decide where they
// were measured, held against the period of the quota: work that stands still
// for a whole period has missed whatever it was answering.
//
// Without stalls, two figures have to agree. The share of throttled periods
// says how often the limit struck. The share of the CPU time that was held
// back says how much it took; it takes the container to have had work all the
// time, so it cannot prove harm, but a small one makes harm unlikely. The severity is the lower that the two allow.
const (
	criticalPeriods = 0.50 // of active periods: every second one is cut short
	warningPeriods  = 0.10 // of active periods
	criticalHeld    = 0.50 // of what it would have used: the work takes twice as long
	warningHeld     = 0.10 // of what it would have used
	warningStall    = 0.10 // of the quota's period
)

func severity(truth *v1alpha1.KernelTruth) v1alpha1.Severity {
	if truth.StallP99Microseconds != nil {
		return severityOfStall(*truth.StallP99Microseconds, truth.PeriodMicroseconds)
	}
	byPeriods := grade(share(truth.ThrottledPeriods, truth.Periods), warningPeriods, criticalPeriods)
	held, known := heldBack(truth)
	if !known {
		return byPeriods
	}
	return milder(byPeriods, grade(held, warningHeld, criticalHeld))
}

func severityOfStall(p99, period int64) v1alpha1.Severity {
	return grade(share(p99, period), warningStall, 1)
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
