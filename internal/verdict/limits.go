// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// When tells apart of which limit's time a figure is, held against the counters of
// spec.kernelTruth: theirs, or another's.
type When int

// The times.
const (
	// SameLimit as that of the counters.
	SameLimit When = iota
	// BeforeChange of the limit, while the counters are from after it.
	BeforeChange
	// AfterChange of the limit, while the counters are from before it.
	AfterChange
	// AcrossChange is of both.
	AcrossChange
)

// String is empty for SameLimit.
func (w When) String() string {
	return [...]string{"", "before the change", "after the change", "across the change"}[w]
}

// changeSeen is how long after a change the counters may show it.
const changeSeen = time.Second

// CountedAt is the limit (millicores) that the counters are of, where they are of the
// container's own; 0 where they are another level's, or none.
func CountedAt(k *v1alpha1.KernelTruth) int64 {
	if k.ThrottledAt != v1alpha1.ThrottledAtContainer {
		return 0
	}
	return limitMillicores(k)
}

// RecordedAt is the limit (millicores, 0 for none) that spec.bursts was recorded under, at
// the level that the counters are of if that is known, else the container's own; and when,
// held against the counters. Their quotas differ, so their windows do not overlap.
func RecordedAt(spec *v1alpha1.KernelWhisperSpec) (limit int64, when When) {
	b, k := spec.Bursts, &spec.KernelTruth
	if b == nil {
		return 0, SameLimit
	}
	limit = recordedLimit(spec)
	another := changedBetween(spec)
	switch {
	case k.ThrottledAt == v1alpha1.ThrottledAtContainer:
		another = limit != limitMillicores(k)
	case k.ThrottledAt == v1alpha1.ThrottledAtPod && b.PodLimitMillicores > 0:
		limit = b.PodLimitMillicores
		another = limit != limitMillicores(k)
	}
	switch {
	case !another:
		return limit, SameLimit
	case b.Time.After(spec.LastSeenTime.Time):
		return limit, AfterChange
	}
	return limit, BeforeChange
}

// changedBetween is true where the container's limit changed between the recording and
// the end of the counters' window.
func changedBetween(spec *v1alpha1.KernelWhisperSpec) bool {
	c := spec.Change
	return c != nil && spec.Bursts.Time.After(c.Time.Time) != spec.LastSeenTime.After(c.Time.Time)
}

// recordedLimit is what limited the container while it was recorded: its own limit, or
// without one that of the level that the counters are of. A change that came later has
// changed the counters' window already.
func recordedLimit(spec *v1alpha1.KernelWhisperSpec) int64 {
	if c := spec.Counterfactual; c != nil && c.LimitMillicores > 0 {
		return c.LimitMillicores
	}
	level := spec.KernelTruth.ThrottledAt
	if b := spec.Bursts; b != nil && b.LimitMillicores != nil {
		if *b.LimitMillicores == 0 && level == v1alpha1.ThrottledAtPod {
			return max(b.PodLimitMillicores, 0)
		}
		return max(*b.LimitMillicores, 0)
	}
	if change := spec.Change; change != nil && spec.Bursts != nil {
		if change.Time.After(spec.Bursts.Time.Time) {
			return max(change.FromMillicores, 0)
		}
		return max(change.ToMillicores, 0)
	}
	if level == v1alpha1.ThrottledAtAncestor {
		return 0
	}
	return limitMillicores(&spec.KernelTruth)
}

// MetricOf is when the figure of a metric is of, held against the counters.
func MetricOf(spec *v1alpha1.KernelWhisperSpec, lie *v1alpha1.MetricsLie) When {
	if lie == nil || lie.Source != v1alpha1.MetricsAPI || lie.Time == nil ||
		spec.KernelTruth.ThrottledAt == v1alpha1.ThrottledAtAncestor {
		return SameLimit
	}
	begin := lie.Time.Add(-time.Duration(milliseconds(lie.WindowMilliseconds)) * time.Microsecond)
	c, since := spec.Change, spec.LimitSince
	switch {
	case since != nil && begin.Before(since.Time):
		return AcrossChange // it ends within the episode, and so after that
	case c == nil:
		return SameLimit
	}
	counters, metric := spec.LastSeenTime.After(c.Time.Time), !begin.Before(c.Time.Time)
	switch {
	case !metric && lie.Time.After(c.Time.Add(-changeSeen)):
		return AcrossChange
	case metric == counters:
		return SameLimit
	case metric:
		return AfterChange
	}
	return BeforeChange
}

// metricLimit is the limit all through the metric's window, at the level that the counters
// are of; 0 for an ancestor's, because no metric holds a container against a limit that is
// not its own, for none, and where it changed meanwhile or is not known.
func metricLimit(spec *v1alpha1.KernelWhisperSpec, when When) int64 {
	level, b, c := spec.KernelTruth.ThrottledAt, spec.Bursts, spec.Change
	switch {
	case level == v1alpha1.ThrottledAtAncestor || when == AcrossChange:
		return 0
	case when == SameLimit:
		return limitMillicores(&spec.KernelTruth)
	case level == v1alpha1.ThrottledAtContainer && when == BeforeChange:
		return max(c.FromMillicores, 0)
	case level == v1alpha1.ThrottledAtContainer:
		return max(c.ToMillicores, 0)
	case b != nil && b.Time.After(c.Time.Time) == (when == AfterChange):
		return max(b.PodLimitMillicores, 0)
	}
	return 0
}
