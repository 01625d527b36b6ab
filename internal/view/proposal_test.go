// SPDX-License-Identifier: Apache-2.0

package view

import (
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Nothing is said to have held that could hardly have failed to, as in the summary.
func TestHeldOf(t *testing.T) {
	within := func(yes bool, low, high string) *v1alpha1.ChangeOutcome {
		return &v1alpha1.ChangeOutcome{WithinInterval: &yes, Predicted: &v1alpha1.Predicted{
			ThrottledPercent: "1.0", ThrottledPercentLow: low, ThrottledPercentHigh: high,
		}}
	}
	for name, tt := range map[string]struct {
		outcome *v1alpha1.ChangeOutcome
		says    string
	}{
		"held":                {within(true, "0.0", "9.1"), "held: "},
		"anything":            {within(true, "0.0", "100.0"), "says little: "},
		"half of all":         {within(true, "10.0", "60.0"), "says little: "},
		"missed":              {within(false, "0.0", "9.1"), "missed: "},
		"missed, and is wide": {within(false, "0.0", "60.0"), "missed: "},
		"not compared":        {&v1alpha1.ChangeOutcome{Predicted: &v1alpha1.Predicted{}}, "not compared"},
		"none":                {&v1alpha1.ChangeOutcome{}, "there was none"},
	} {
		if got := heldOf(tt.outcome); !strings.HasPrefix(got, tt.says) {
			t.Errorf("%s: %q, want %q", name, got, tt.says)
		}
	}
}

// The target is met as far as it was measured, and no further.
func TestTargetMet(t *testing.T) {
	stall := int64(1_000)
	for want, o := range map[string]v1alpha1.ChangeOutcome{
		"met": {TargetMet: true, LimitMillicores: 500, MeasuredPeriods: 90, MeasuredStallP99Microseconds: &stall},
		"met by the periods; stalls were not measured": {TargetMet: true, LimitMillicores: 500, MeasuredPeriods: 90},
		"not met": {LimitMillicores: 500, MeasuredPeriods: 90},
		"not known: nothing ran at that limit while it was measured": {LimitMillicores: 500},
	} {
		if got, _ := targetMet(&o); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
