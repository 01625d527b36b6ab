// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// lateBy is the delay of a certificate from which on the test tells of it.
const lateBy = 5 * time.Second

// span of a birth: from its first sign to its outcome.
func (b *stormBirth) span() (from, to time.Time) {
	from = b.final.Spec.Origin.Time.Time
	return from, from.Add(time.Duration(b.final.Spec.KernelStats.DurationMicroseconds) * time.Microsecond)
}

// windowEnd is when the observer closed the birth.
func (b *stormBirth) windowEnd() time.Time {
	return b.final.Spec.Origin.Time.Add(time.Duration(b.final.Spec.KernelStats.WindowMicroseconds) * time.Microsecond)
}

// overlap is how many births were under way at once, at most.
func (s *storm) overlap() int {
	most := 0
	for _, b := range s.births {
		at, _ := b.span()
		now := 0
		for _, other := range s.births {
			if from, to := other.span(); !from.After(at) && to.After(at) {
				now++
			}
		}
		most = max(most, now)
	}
	return most
}

// bornWithin is the time from the first birth's first sign to the last one's outcome.
func (s *storm) bornWithin() time.Duration {
	first, last := s.births[0].span()
	for _, b := range s.births {
		if _, to := b.span(); to.After(last) {
			last = to
		}
	}
	return last.Sub(first)
}

func (s *storm) addFigures(name string) {
	s.t.Helper()
	add := func(what, format string, args ...any) { s.f.figures.add(s.t, name+": "+what, format, args...) }
	add("births, within, at once", "%d, %s, %d", len(s.births), s.bornWithin().Round(100*time.Millisecond), s.overlap())
	var ready, over, heard, written []time.Duration
	reasons, incomplete, completed := map[string]int{}, 0, 0
	for _, b := range s.births {
		if late := b.told.Sub(b.settled); !b.settled.IsZero() && late > lateBy {
			s.t.Logf("%s: %s after it was told %s: it came to rest %s before; generation %d, missing %q", b.final.Name, late, b.final.Spec.Outcome,
				b.told.Sub(b.windowEnd()), b.final.Generation, b.final.Spec.Coverage.Missing)
		}
		switch late := b.told.Sub(b.settled); {
		case b.settled.IsZero():
		case b.final.Spec.Outcome == v1alpha1.OutcomeReady:
			ready = append(ready, late)
			heard, written = append(heard, b.windowEnd().Sub(b.settled)), append(written, b.told.Sub(b.windowEnd()))
		default:
			over = append(over, late)
		}
		switch {
		case !b.final.Spec.Complete:
			incomplete++
		case !b.first.Spec.Complete:
			completed++
		}
		for _, missing := range b.final.Spec.Coverage.Missing {
			reasons[anyNumber.ReplaceAllString(missing, "N")]++
		}
	}
	add("Ready to certificate", "%s", spread(ready))
	add("of it until the birth came to rest", "%s", spread(heard))
	add("of it until the certificate was written and seen", "%s", spread(written))
	add("over (done or failed) to certificate", "%s", spread(over))
	add("certificates that are not complete", "%d %v; %d were completed later", incomplete, reasons, completed)
}

// spread is the middle and the end of a distribution.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	slices.Sort(all)
	at := func(percent int) time.Duration {
		return all[min(len(all)-1, len(all)*percent/100)].Round(time.Millisecond)
	}
	return fmt.Sprintf("median %s, p99 %s, longest %s, of %d", at(50), at(99), at(100), len(all))
}
