// SPDX-License-Identifier: Apache-2.0

package birth

import "github.com/kernel-gossip/kernel-gossip/api/v1alpha1"

// markCriticalPath goes back from the end of a birth: what ended last before a
// moment is what that moment waited for, and where it began the search goes on.
// Within a phase the same is done for the phases that lie inside it, so that a
// CNI plugin has its part and the network around it the rest. Both are given in
// microseconds since the origin.
func markCriticalPath(phases []v1alpha1.Phase, end int64) {
	walkBack(phases, outermost(phases), 0, end)
}

// walkBack marks the phases of one level between two moments, and returns what
// none of them explains.
func walkBack(phases []v1alpha1.Phase, level []int, from, to int64) (unexplained int64) {
	at := to
	for at > from {
		i := latestBefore(phases, level, from, at)
		if i < 0 {
			return unexplained + at - from
		}
		began, ended := max(phases[i].StartMicroseconds, from), min(endOf(phases[i]), at)
		unexplained += at - ended
		phases[i].CriticalMicroseconds += walkBack(phases, childrenOf(phases, i), began, ended)
		at = began
	}
	return unexplained
}

func endOf(p v1alpha1.Phase) int64 { return p.StartMicroseconds + p.DurationMicroseconds }

// touching is the gap in microseconds over which one phase is still taken to
// have led to the next.
const touching = 1000

// latestBefore is the phase of a level that a moment waited for: the one that
// ended last by then, or, where that leaves a gap, the one that began in the gap
// and went on beyond the moment (a runtime's start ends shortly after the
// entrypoint that it started has begun). Of equal ends the longer one.
func latestBefore(phases []v1alpha1.Phase, level []int, from, at int64) int {
	ended, open := -1, -1
	for _, i := range level {
		p := phases[i]
		switch {
		case p.DurationMicroseconds == 0 || p.StartMicroseconds >= at || endOf(p) <= from:
		case endOf(p) <= at:
			if ended < 0 || endsLater(p, phases[ended]) {
				ended = i
			}
		case open < 0 || p.StartMicroseconds > phases[open].StartMicroseconds:
			open = i
		}
	}
	if open < 0 || ended >= 0 && (at-endOf(phases[ended]) <= touching || phases[open].StartMicroseconds < endOf(phases[ended])-touching) {
		return ended
	}
	return open
}

// endsLater is true for a phase that ends later than another, or at the same
// time and began before.
func endsLater(a, b v1alpha1.Phase) bool {
	return endOf(a) > endOf(b) || endOf(a) == endOf(b) && a.StartMicroseconds < b.StartMicroseconds
}

// outermost are the phases that lie in no other.
func outermost(phases []v1alpha1.Phase) []int {
	all := make([]int, len(phases))
	for i := range phases {
		all[i] = i
	}
	return withoutInner(phases, all)
}

// childrenOf are the outermost of the phases that lie inside one.
func childrenOf(phases []v1alpha1.Phase, parent int) []int {
	var inside []int
	for i := range phases {
		if i != parent && within(phases, i, parent) {
			inside = append(inside, i)
		}
	}
	return withoutInner(phases, inside)
}

func withoutInner(phases []v1alpha1.Phase, all []int) []int {
	var outer []int
	for _, i := range all {
		inner := false
		for _, j := range all {
			inner = inner || i != j && within(phases, i, j)
		}
		if !inner {
			outer = append(outer, i)
		}
	}
	return outer
}

// within is true for a phase that lies inside another. Of two with the same
// bounds the later one in the list does.
func within(phases []v1alpha1.Phase, inner, outer int) bool {
	a, b := phases[inner], phases[outer]
	if a.StartMicroseconds < b.StartMicroseconds || endOf(a) > endOf(b) {
		return false
	}
	return a.DurationMicroseconds < b.DurationMicroseconds || inner > outer
}
