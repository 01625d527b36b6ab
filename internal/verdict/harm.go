// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Thresholds of harm, of what was recorded. An activation that an interrupt, a
// timer or a thread of another cgroup woke serves somebody; for how long a quota
// held it is what that somebody noticed.
const (
	// criticalStall, in periods of the quota: one activation in a hundred stood
	// still for a whole period or longer. Whatever deadline it had is missed, and a
	// caller's own time-out is near.
	criticalStall = 1.0
	// warningStall, in periods: 10 ms of the usual 100 are far more than the few
	// milliseconds that a busy CPU makes anybody wait anyway.
	warningStall = 0.10
	// criticalRate: one stalled activation every other second. Below, it is an agent
	// that wakes now and then, whose lateness nobody need be called for.
	criticalRate = 0.5
	// fewStalls: a single one in a recording may be chance, and its 99th percentile
	// is the one figure itself.
	fewStalls = 2
	// manyStalls per second: as many are felt, also where they are less than one
	// in a hundred and the 99th percentile passes over them.
	manyStalls = 10.0
)

// Thresholds of a container that serves nobody: a loop that never waits for
// anybody, which a limit makes slower and does not make late.
const (
	// loopShare of the CPU time in threads that never slept.
	loopShare = 0.90
	// loopWakes: fewer outside activations per second than this are a signal, a
	// log line, a timer of its own.
	loopWakes = 1.0
	// loopWork (µs of CPU time) is below what it takes to serve anybody. The threads
	// by which the runtimes of Go and Java look after themselves wake by a timer,
	// beside a busy loop too, and need 10 to 50 µs each time.
	loopWork = 100.0
)

// servesNobody is true where nobody was seen to wait for the container. A server
// whose requests pile up so that it never sleeps cannot be told from a loop: what
// wakes a thread that is awake leaves no trace in the scheduler.
func (s *scene) servesNobody() bool {
	if s.outside() == 0 {
		return true
	}
	if s.neverSlept() < loopShare {
		return false
	}
	slept := (1 - s.neverSlept()) * float64(max(s.bursts.CPUMicroseconds, 0))
	return s.perSecond(s.outside()) < loopWakes || slept/float64(s.outside()) < loopWork
}

func severityOfStalls(s *scene, p99 int64) v1alpha1.Severity {
	stalled := s.bursts.StalledActivations
	rate := s.perSecond(stalled)
	stall := share(p99, s.period())
	switch {
	case stalled < fewStalls:
		return v1alpha1.SeverityInfo
	case stall >= criticalStall && rate >= criticalRate:
		return v1alpha1.SeverityCritical
	case stall >= warningStall:
		return v1alpha1.SeverityWarning
	case rate >= manyStalls && share(s.bursts.ParkedMicroseconds/stalled, s.period()) >= warningStall:
		return v1alpha1.SeverityWarning
	default:
		return v1alpha1.SeverityInfo
	}
}

// severityOfWait judges the wait for a CPU by the same yardstick: whoever waits
// for an answer does not feel what held it.
func severityOfWait(s *scene) (v1alpha1.Severity, basis) {
	wait := s.truth.RunQueueWaitP99Microseconds
	if wait == nil || s.bursts == nil {
		return v1alpha1.SeverityInfo, basisNothing
	}
	// One in a hundred waited as long; rare wakes are judged as rare stalls are.
	long := share(*wait, s.period())
	switch {
	case s.outside() < fewStalls:
		return v1alpha1.SeverityInfo, basisWait
	case long >= criticalStall && s.perSecond(s.outside()) >= criticalRate:
		return v1alpha1.SeverityCritical, basisWait
	case long >= warningStall:
		return v1alpha1.SeverityWarning, basisWait
	default:
		return v1alpha1.SeverityInfo, basisWait
	}
}
