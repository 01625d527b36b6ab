// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func TestTickOf(t *testing.T) {
	const second = uint64(time.Second)
	at := func(time, jiffies uint64) []event.Group { return []event.Group{{Time: time, Jiffies: jiffies}} }
	for name, test := range map[string]struct {
		before, after []event.Group
		want          time.Duration
	}{
		"HZ 250":                {at(second, 4_300_000_000), at(4*second, 4_300_000_750), 4 * time.Millisecond},
		"HZ 1000":               {at(second, 1), at(11*second, 10_001), time.Millisecond},
		"HZ 300":                {at(second, 5), at(2*second, 306), time.Second / 300},
		"HZ 100, read late":     {at(second, 5), at(11*second+second/100, 1_006), 10 * time.Millisecond},
		"a kernel of an odd HZ": {at(second, 5), at(2*second, 182), tickUnknown},
		"a recording without":   {at(second, 0), at(2*second, 0), tickUnknown},
		"nothing read":          {nil, nil, tickUnknown},
	} {
		if got := tickOf(event.Recording{Before: test.before, After: test.after}); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
