// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"slices"

	"math"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/counterfactual"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// curveMax is how many limits a whisper has room for.
const curveMax = 12

// Replayable is true for a recording whose container had one limit of its own
// all the time: only that can be replayed at other limits.
func Replayable(r event.Recording) bool {
	return len(r.Bursts) > 0 && len(r.Before) > 0 && len(r.After) > 0 &&
		r.Before[0].Quota > 0 && r.Before[0].Period > 0 && Steady(r.Before, r.After)
}

// Steady is true if no limit was changed between two readings of the same cgroups. A recording
// that is not is of neither limit.
func Steady(before, after []event.Group) bool {
	return slices.EqualFunc(before, after, func(a, b event.Group) bool {
		return a.Cgroup == b.Cgroup && a.Quota == b.Quota && a.Period == b.Period
	})
}

// replayed writes what a replay gave; nil where it gave no curve.
func replayed(r event.Recording, from counterfactual.Result) *v1alpha1.Counterfactual {
	if len(from.Curve) == 0 {
		return nil
	}
	out := &v1alpha1.Counterfactual{
		RecordedMilliseconds: max(1, int64(span(r.From, r.To)/1e6)),
		Bursts:               int64(from.Bursts),
		ClosedPercent:        share(from.Closed),
		LowerBound:           from.LowerBound,
		LimitMillicores:      millicores(r.Before[0].Quota, r.Before[0].Period),
	}
	for _, p := range from.Curve[:min(len(from.Curve), curveMax)] {
		out.Curve = append(out.Curve, predicted(p, r.Before[0].Period))
	}
	if from.BurstKnown {
		burst := micro(from.Burst)
		out.BurstMicroseconds = &burst
	}
	return out
}

func predicted(p counterfactual.Prediction, period uint64) v1alpha1.Predicted {
	out := v1alpha1.Predicted{
		LimitMillicores:          max(1, millicores(p.Quota, period)),
		ThrottledPercent:         share(p.Throttled),
		ThrottledPercentLow:      share(min(p.Low, p.Throttled)),
		ThrottledPercentHigh:     share(max(p.High, p.Throttled)),
		StallP99Microseconds:     micro(p.StallP99),
		StallP99MicrosecondsHigh: max(micro(p.StallP99), micro(p.StallP99High)),
		UsageMillicores:          max(0, int64(math.Round(p.Usage*1000))),
	}
	// What nine of ten windows stay within is left out where it says nothing more: a
	// whisper has little room.
	if often := share(max(p.ThrottledP90, p.Throttled)); often != out.ThrottledPercent {
		out.ThrottledPercentP90 = often
	}
	if often := micro(p.StallP99P90); often > out.StallP99Microseconds {
		out.StallP99MicrosecondsP90 = often
	}
	return out
}

func micro(d time.Duration) int64 { return max(0, d.Microseconds()) }

// millicores of a quota per period; 0 is no limit.
func millicores(quota, period uint64) int64 {
	if quota == 0 || period == 0 {
		return 0
	}
	return int64(math.Round(float64(quota) / float64(period) * 1000))
}
