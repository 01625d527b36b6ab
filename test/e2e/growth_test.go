// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// span is between which values something lies, both included.
type span struct{ low, high float64 }

func (s span) has(v float64) bool { return v >= s.low && v <= s.high }

func (s span) String() string { return fmt.Sprintf("%.6g to %.6g", s.low, s.high) }

// widened is the span of what is told in whole steps of so much.
func (s span) widened(by float64) span { return span{s.low - by, s.high + by} }

// growth is what a cgroup's counters gained between two moments. None of its files
// was read at these moments: what is certain is what the readings around them say.
type growth struct {
	periods, throttled span
	usage              span // nanoseconds
}

// growth of a cgroup's counters, once it was read after the later moment.
func (s *sampler) growth(ctx context.Context, cgroup string, from, to time.Time) (growth, error) {
	a, b, err := s.around(ctx, cgroup, from)
	if err != nil {
		return growth{}, err
	}
	y, z, err := s.around(ctx, cgroup, to)
	if err != nil {
		return growth{}, err
	}
	between := func(a, b, y, z uint64) span { return span{float64(y - min(y, b)), float64(z - a)} }
	return growth{
		periods:   between(a.periods, b.periods, y.periods, z.periods),
		throttled: between(a.throttled, b.throttled, y.throttled, z.throttled),
		usage:     between(a.usage, b.usage, y.usage, z.usage),
	}, nil
}

func mustGrow(t *testing.T, s *sampler, cgroup string, from, to time.Time) growth {
	t.Helper()
	g, err := s.growth(t.Context(), cgroup, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// percent of the periods that were throttled.
func (g growth) percent() span {
	p := span{high: 100}
	if g.periods.high > 0 {
		p.low = 100 * g.throttled.low / g.periods.high
	}
	if g.periods.low > 0 {
		p.high = min(100, 100*g.throttled.high/g.periods.low)
	}
	return p
}

// millicores are those of the usage in a time that is told in whole milliseconds.
func (g growth) millicores(window time.Duration) span {
	longest, shortest := window+time.Millisecond, max(window-time.Millisecond, 1)
	return span{1000 * g.usage.low / float64(longest), 1000 * g.usage.high / float64(shortest)}
}

// witnessed is true if the readings lay close enough around the two moments to say
// something: they leave fewer periods open than they are certain of.
func (g growth) witnessed() bool { return g.periods.high-g.periods.low <= g.periods.low }

// differs says what of the counters that were told is not what the files say.
func (g growth) differs(truth v1alpha1.KernelTruth) string {
	switch {
	case !g.periods.has(float64(truth.Periods)):
		return fmt.Sprintf("%d periods, by cpu.stat %s", truth.Periods, g.periods)
	case !g.throttled.has(float64(truth.ThrottledPeriods)):
		return fmt.Sprintf("%d throttled periods, by cpu.stat %s", truth.ThrottledPeriods, g.throttled)
	}
	return ""
}

// TestGrowth is arithmetic, and needs no cluster.
func TestGrowth(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	read := func(ms int, periods, throttled, usage uint64) reading {
		return reading{at(ms), at(ms + 1), bandwidth{periods, throttled, usage * 1e6}}
	}
	s := &sampler{readings: map[string][]reading{"a": {
		read(1000, 10, 5, 100), read(1100, 11, 6, 110), read(2000, 20, 14, 200), read(2100, 21, 15, 210),
	}}}
	g := mustGrow(t, s, "a", at(1050), at(2050))
	if want := (growth{span{9, 11}, span{8, 10}, span{90e6, 110e6}}); g != want {
		t.Errorf("%+v, want %+v", g, want)
	}
	if p := g.percent(); p.low != 100*8/11. || p.high != 100 {
		t.Errorf("percent %s", p)
	}
	if m := g.millicores(time.Second); !m.has(90) || !m.has(110) || m.has(89) || m.has(111) {
		t.Errorf("millicores %s", m)
	}
	// Before the first reading all counters were zero.
	if g := mustGrow(t, s, "a", at(500), at(1050)); g.periods != (span{0, 11}) || g.witnessed() {
		t.Errorf("%+v, witnessed %t", g, g.witnessed())
	}
	for want, truth := range map[bool]v1alpha1.KernelTruth{
		true: {Periods: 10, ThrottledPeriods: 9}, false: {Periods: 12, ThrottledPeriods: 9},
	} {
		if got := g.differs(truth) == ""; got != want || !g.witnessed() {
			t.Errorf("%+v: %q, want it to hold: %t", truth, g.differs(truth), want)
		}
	}
}
