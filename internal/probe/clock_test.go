// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"testing"
	"time"
)

// clocks are two that go alike, and a thread that loses its CPU before some readings.
type clocks struct {
	now  time.Duration
	lost []time.Duration // before each reading
}

func (c *clocks) read() time.Duration {
	c.now += 50
	if len(c.lost) > 0 {
		c.now += c.lost[0]
		c.lost = c.lost[1:]
	}
	return c.now
}

func TestWallThoughTheThreadLosesItsCPU(t *testing.T) {
	const ms = time.Millisecond
	began := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for name, lost := range map[string][]time.Duration{
		"never":                  nil,
		"before the wall clock":  {0, 40 * ms},
		"after the wall clock":   {0, 0, 40 * ms},
		"in four tries":          {0, ms, 0, 0, 0, ms, 0, 2 * ms, 0, 0, 0, 3 * ms},
		"between tries":          {0, 2000, 0, 40 * ms},
		"each time, once little": {0, 5 * ms, 0, 0, 0, 5 * ms, 0, 1100, 0, 0, 5 * ms, 0, 0, 0, 5 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			c := &clocks{lost: lost}
			got := wall(uint64(10*ms), func() uint64 { return uint64(c.read()) }, func() time.Time { return began.Add(c.read()) })
			if off := got.Sub(began.Add(10 * ms)).Abs(); off > 2*time.Microsecond {
				t.Errorf("wrong by %s", off)
			}
		})
	}
}

func TestWallOfNow(t *testing.T) {
	before := time.Now()
	at := Now()
	after := time.Now()
	const room = time.Millisecond // a step of the wall clock meanwhile would be larger
	if got := Wall(at); got.Before(before.Add(-room)) || got.After(after.Add(room)) {
		t.Errorf("%s, read between %s and %s", got, before, after)
	}
}
