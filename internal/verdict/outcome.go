// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// outcome holds what was measured after a change of the limit against what had
// been predicted for it. It is nil until that was measured.
func outcome(w *v1alpha1.KernelWhisper, s *scene, t Target) *v1alpha1.ChangeOutcome {
	change := w.Spec.Change
	if change == nil || change.Measured == nil {
		return nil
	}
	throttled, known := percentOf(change.Measured.ThrottledPercent)
	if !known {
		return nil
	}
	o := &v1alpha1.ChangeOutcome{
		Time: change.Time, LimitMillicores: max(change.ToMillicores, 0),
		MeasuredThrottledPercent: oneDecimal(throttled), MeasuredPeriods: max(change.Measured.Periods, 0),
		MeasuredStallP99Microseconds: change.Measured.StallP99Microseconds,
		Predicted:                    predictionBefore(w, s),
	}
	o.TargetMet = !Unmeasured(o) && t.met(throttled, stallOrZero(change.Measured))
	if p := o.Predicted; p != nil && !Unmeasured(o) {
		low, _ := percentOf(p.ThrottledPercentLow)
		high, _ := percentOf(p.ThrottledPercentHigh)
		o.WithinInterval = new(low <= throttled && throttled <= high)
	}
	o.Summary = clip(changeInWords(w, o, t))
	return o
}

// Unmeasured is true where a limit was set and nothing ran under it while that was
// measured: of no periods no share was throttled, and that says nothing.
func Unmeasured(o *v1alpha1.ChangeOutcome) bool {
	return o.LimitMillicores > 0 && o.MeasuredPeriods == 0
}

// stallOrZero: a stall that was not recorded is not held against the target.
func stallOrZero(truth *v1alpha1.KernelTruth) int64 {
	if truth.StallP99Microseconds == nil {
		return 0
	}
	return *truth.StallP99Microseconds
}

// predictionBefore is what had been predicted for the new limit before it was
// set: read off the curve, if that is of a recording from before the change;
// else what an earlier verdict kept of it.
func predictionBefore(w *v1alpha1.KernelWhisper, s *scene) *v1alpha1.Predicted {
	change := w.Spec.Change
	if w.Spec.Bursts != nil && !w.Spec.Bursts.Time.After(change.Time.Time) {
		return s.curve.at(change.ToMillicores)
	}
	if old := w.Status.Outcome; old != nil && old.Time.Equal(&change.Time) && old.LimitMillicores == change.ToMillicores {
		return old.Predicted.DeepCopy()
	}
	if p := w.Status.Proposal; p != nil && p.LimitMillicores != nil && *p.LimitMillicores == change.ToMillicores &&
		p.CurrentLimitMillicores == change.FromMillicores {
		return p.Predicted.DeepCopy()
	}
	return nil
}

func changeInWords(w *v1alpha1.KernelWhisper, o *v1alpha1.ChangeOutcome, t Target) string {
	text := fmt.Sprintf("The limit of container %s went from %s to %s, and then ",
		plain(w.Spec.ContainerName), limitOrNone(w.Spec.Change.FromMillicores), limitOrNone(o.LimitMillicores))
	switch {
	case Unmeasured(o):
		return text + "it had no active period: what that limit does was not measured."
	case o.MeasuredPeriods == 0:
		text += "no limit stopped it"
	default:
		text += fmt.Sprintf("%s %% of %s active periods were throttled", o.MeasuredThrottledPercent, count(o.MeasuredPeriods))
	}
	if stall := o.MeasuredStallP99Microseconds; stall != nil {
		text += ", p99 stall " + duration(*stall)
	}
	switch {
	case o.Predicted == nil:
		text += "; nothing had been predicted for that limit"
	case *o.WithinInterval && Wide(o.Predicted):
		text += "; predicted were " + predictedInWords(o.Predicted) + ", an interval too wide to say much"
	case *o.WithinInterval:
		text += "; predicted were " + predictedInWords(o.Predicted) + ", which held"
	default:
		text += "; predicted were " + predictedInWords(o.Predicted) + ", which did not hold"
	}
	if o.TargetMet && o.MeasuredStallP99Microseconds == nil {
		return text + "; stalls were not measured, and the rest of the target is met (" + t.inWords() + ")."
	}
	if o.TargetMet {
		return text + "; the target is met (" + t.inWords() + ")."
	}
	return text + "; the target is missed (" + t.inWords() + ")."
}

// Wide is true for an interval of the throttled share that hardly anything could fall
// out of: to lie within it says little.
func Wide(p *v1alpha1.Predicted) bool {
	const points = 50
	low, _ := percentOf(p.ThrottledPercentLow)
	high, _ := percentOf(p.ThrottledPercentHigh)
	return high-low >= points
}

func limitOrNone(millicoresOrZero int64) string {
	if millicoresOrZero <= 0 {
		return "none"
	}
	return millicores(millicoresOrZero)
}
