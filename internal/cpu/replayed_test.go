// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/counterfactual"
)

func TestWhatNineOfTenWindowsStayWithin(t *testing.T) {
	const period = uint64(100 * time.Millisecond)
	for name, test := range map[string]struct {
		predicted counterfactual.Prediction
		throttled string
		stall     int64
	}{
		"more than predicted": {
			counterfactual.Prediction{Quota: 1, Throttled: 0.02, ThrottledP90: 0.04, StallP99: time.Millisecond, StallP99P90: 3 * time.Millisecond},
			"4.0", 3_000,
		},
		"as predicted": {
			counterfactual.Prediction{Quota: 1, Throttled: 0.02, ThrottledP90: 0.02, StallP99: time.Millisecond, StallP99P90: time.Millisecond},
			"", 0,
		},
	} {
		got := predicted(test.predicted, period)
		if got.ThrottledPercentP90 != test.throttled || got.StallP99MicrosecondsP90 != test.stall {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
