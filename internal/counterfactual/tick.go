// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"math"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// tickUnknown stands in where a recording does not show how long a tick is: that of
// CONFIG_HZ=250, which most distributions choose.
const tickUnknown = 4 * time.Millisecond

// tickOf is how long a tick of the recording's kernel is, by the jiffies that went
// by. CONFIG_HZ is 100, 250, 300 or 1000: a recording of a second tells them apart.
func tickOf(r event.Recording) time.Duration {
	if len(r.Before) == 0 || len(r.After) == 0 {
		return tickUnknown
	}
	a, b := r.Before[0], r.After[0]
	if a.Jiffies == 0 || b.Jiffies <= a.Jiffies || b.Time <= a.Time {
		return tickUnknown
	}
	hz := float64(b.Jiffies-a.Jiffies) / time.Duration(b.Time-a.Time).Seconds()
	for _, known := range []float64{100, 250, 300, 1000} {
		if math.Abs(hz-known) < 0.05*known {
			return time.Duration(float64(time.Second) / known)
		}
	}
	return tickUnknown
}
