// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func TestAShortenedLeanIn(t *testing.T) {
	for wanted, want := range map[time.Duration]time.Duration{
		10 * time.Second: 2500 * time.Millisecond, 3 * time.Second: time.Second, time.Second: time.Second,
	} {
		atMost := max(want, 3*wanted/4)
		s := NewSuspects(DefaultConfig())
		s.Restrain(Shortened)
		in := throttledSince(1)
		in.For, in.AtMost = wanted, 3*wanted
		s.Suspect("a", in, second)
		if next := s.Next(second); len(next) != 1 || next[0].For != want || next[0].AtMost != atMost {
			t.Errorf("%s: %+v, want %s, at most %s", wanted, next, want, atMost)
		}
		if short := wanted > want; short != (s.shortened == 1) {
			t.Errorf("%s: %d counted as shortened", wanted, s.shortened)
		}
	}
}

// What is refused is neither waited for nor forgotten, and counted once.
func TestARefusedLeanInIsPutOff(t *testing.T) {
	s := NewSuspects(DefaultConfig())
	s.Restrain(Refused)
	for now := second; now < 100*second; now += second {
		s.Suspect("a", throttledSince(1), now)
		s.Suspect("b", throttledSince(1), now)
		if len(s.Next(now)) != 0 {
			t.Fatal("one began")
		}
		if s.Waiting("a") || !s.Withheld("a") {
			t.Fatal("it is waited for, or not said to be withheld")
		}
	}
	if s.refused != 2 {
		t.Errorf("%d refused", s.refused)
	}
	s.Restrain(Unrestrained)
	if next := s.Next(100 * second); len(next) != 2 || next[0].For != 10*time.Second || s.Withheld("a") {
		t.Errorf("%+v", next)
	}
}

// A lean-in that is under way goes on.
func TestARestraintCutsNothingShort(t *testing.T) {
	s := NewSuspects(DefaultConfig())
	s.Suspect("a", throttledSince(1), second)
	s.Next(second)
	s.Restrain(Refused)
	s.Next(2 * second)
	if !s.UnderWay("a") || !s.Waiting("a") || s.Withheld("a") {
		t.Error("it was given up")
	}
}

func TestAWhisperSaysWhyItHasNoBursts(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	n.watch.Restrain(Refused)
	n.run(5, c.quiet)
	told := n.run(14, c.held)
	if len(told) != 1 || told[0].Spec.Bursts != nil || told[0].Spec.BurstsMissing != v1alpha1.BurstsMissingCPUBudget {
		t.Fatalf("%d whispers: %+v", len(told), told[0].Spec)
	}
	if s := n.watch.Stats(); s.Withheld != 1 || s.UnderWay != 0 {
		t.Errorf("%+v", s)
	}
	// It says so to its end, though the budget would do by then.
	ended := n.run(5, c.held)
	n.watch.Restrain(Unrestrained)
	n.watch.Deaf()
	ended = append(ended, n.run(20, c.quiet)...)
	if last := ended[len(ended)-1].Spec; last.EndTime == nil || last.BurstsMissing != v1alpha1.BurstsMissingCPUBudget {
		t.Errorf("%+v", last)
	}
}

func TestWhatWasPutOffIsHeardLater(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	n.watch.Restrain(Refused)
	n.run(20, c.held)
	n.watch.Restrain(Shortened)
	told := n.run(10, c.held)
	if len(told) == 0 || told[0].Spec.Bursts == nil || told[0].Spec.BurstsMissing != "" {
		t.Fatalf("%d whispers", len(told))
	}
	if n.leanIns[0].For != 2500*time.Millisecond {
		t.Errorf("%+v", n.leanIns[0])
	}
}

// A change is measured by its counters while nobody may listen, and not late.
func TestAChangeIsNotHeldUpByABudget(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	n.run(20, c.held)
	n.watch.Restrain(Refused)
	c.limit(500, 500)
	told := n.run(24, func() Sample { return c.second(10, 0, 10, 0, 300e6) })
	last := told[len(told)-1].Spec
	if last.Change == nil || last.Change.Measured == nil || last.Change.Measured.StallP99Microseconds != nil {
		t.Errorf("%+v", last.Change)
	}
}

// every leaves only one sample of so many.
func every(n int, next func() Sample) func() Sample {
	return func() Sample {
		for range n - 1 {
			next()
		}
		return next()
	}
}

// Whether something is an episode does not depend on how often it is looked at.
func TestDetectionAtLongerIntervals(t *testing.T) {
	for name, tt := range map[string]struct {
		throttled uint32 // of ten periods a second
		opens     bool
	}{
		"always": {10, true}, "one in five": {2, true}, "one in ten": {1, true}, "never": {0, false},
	} {
		for _, seconds := range []int{1, 2, 4} {
			c, d := newContainer(), newTestDetector()
			c.quiet()
			told := run(d, 60/seconds, every(seconds, func() Sample { return c.second(10, tt.throttled, 10, 0, 100e6) }))
			if opened := len(told) > 0; opened != tt.opens {
				t.Errorf("%s, every %d s: an episode %t", name, seconds, opened)
			}
			if len(told) == 0 {
				continue
			}
			onset := told[0].Spec.LastSeenTime.Sub(told[0].Spec.StartTime.Time)
			if onset > 8*time.Second {
				t.Errorf("%s, every %d s: told after %s", name, seconds, onset)
			}
			k := told[len(told)-1].Spec.KernelTruth
			if k.ThrottledPeriods*10 != k.Periods*int64(tt.throttled) || k.WindowMilliseconds < 15_000 || k.WindowMilliseconds > 19_000 {
				t.Errorf("%s, every %d s: %+v", name, seconds, k)
			}
		}
	}
	// Four throttled periods in four seconds and none in the next four are too few, at
	// any interval.
	for _, seconds := range []int{1, 2, 4} {
		c, d, at := newContainer(), newTestDetector(), 0
		c.quiet()
		told := run(d, 120/seconds, every(seconds, func() Sample {
			at++
			if at%8 < 4 {
				return c.second(10, 1, 10, 0, 100e6)
			}
			return c.second(10, 0, 10, 0, 100e6)
		}))
		if len(told) > 0 {
			t.Errorf("every %d s: an episode of %+v", seconds, told[0].Spec.KernelTruth)
		}
	}
}
