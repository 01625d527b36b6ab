// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"
	"strconv"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Target is what a proposed limit has to meet and a changed one is held
// against. Both bounds are exclusive.
type Target struct {
	// ThrottledPercent of active periods, above 0 and up to 100.
	ThrottledPercent float64
	// StallP99 of outside activations, above 0.
	StallP99 time.Duration
}

// DefaultTarget is the one that the documentation states: rare enough that
// seconds pass between two throttled periods, and short enough to vanish in
// the latency of a network service.
func DefaultTarget() Target {
	return Target{ThrottledPercent: 5, StallP99: 5 * time.Millisecond}
}

// Validate says what is wrong with a target.
func (t Target) Validate() error {
	switch {
	case !(t.ThrottledPercent > 0 && t.ThrottledPercent <= 100):
		return fmt.Errorf("target of throttled periods is %g %%: it has to be above 0 and at most 100", t.ThrottledPercent)
	case t.StallP99 <= 0:
		return fmt.Errorf("target of stalls is %s: it has to be positive", t.StallP99)
	}
	return nil
}

func (t Target) met(throttledPercent float64, stallMicroseconds int64) bool {
	return throttledPercent < t.ThrottledPercent && stallMicroseconds < t.StallP99.Microseconds()
}

// atMostAsStrictAs is true where whatever meets o meets t.
func (t Target) atMostAsStrictAs(o Target) bool {
	return t.ThrottledPercent >= o.ThrottledPercent && t.StallP99 >= o.StallP99
}

func (t Target) forAPI() v1alpha1.Target {
	return v1alpha1.Target{ThrottledPercent: oneDecimal(t.ThrottledPercent), StallP99Microseconds: t.StallP99.Microseconds()}
}

func (t Target) inWords() string {
	return fmt.Sprintf("under %s %% of periods throttled, p99 stall under %s",
		oneDecimal(t.ThrottledPercent), duration(t.StallP99.Microseconds()))
}

// oneDecimal writes a percentage as the schema wants it.
func oneDecimal(percent float64) string {
	return strconv.FormatFloat(min(max(percent, 0), 100), 'f', 1, 64)
}

// percentOf reads a percentage of a spec; false where it is none.
func percentOf(text string) (float64, bool) {
	value, err := strconv.ParseFloat(text, 64)
	return value, err == nil && value >= 0 && value <= 100
}
