// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// sizeMax is the certificate's share of the contract's 16 KiB: the rest is for metadata
// and status.
const sizeMax = 14 * 1024

// phasesLeast are left where there is too much to tell: where the most time went.
const phasesLeast = 12

func (w *writer) tooLarge() bool {
	raw, err := json.Marshal(w.spec)
	return err == nil && len(raw) > sizeMax
}

// bound keeps the spec within its size. First go the entries of the timeline that say
// least, as in every long timeline. What goes after them is told to be missing.
func (w *writer) bound() {
	w.spec.Timeline = withoutLeastTelling(w.spec.Timeline, func(all []v1alpha1.TimelineEntry) bool {
		w.spec.Timeline = all
		return w.tooLarge()
	})
	if !w.tooLarge() {
		return
	}
	w.spec.Complete = false
	missing := w.spec.Coverage.Missing[:min(len(w.spec.Coverage.Missing), missingMax-1)]
	tell := func(left string) {
		w.spec.Coverage.Missing = append(missing, cut("left out for want of room: "+left, missingLength))
	}
	tell(strings.Repeat("x", missingLength)) // it needs its room
	tell(strings.Join(w.leaveOut(), ", "))
}

// leaveOut leaves out one thing after the other until the spec has its size: the
// timeline's end, how the shortest phases waited, the shortest phases, those on the
// critical path last, which container it was for that somebody worked, and the
// milestones of the last containers. It says what that was: of each thing a bounded
// number is left then, which has room.
func (w *writer) leaveOut() (left []string) {
	note := func(all, kept int, what string) bool {
		if kept < all {
			left = append(left, fmt.Sprintf(what, all-kept))
		}
		return w.tooLarge()
	}
	if n := len(w.spec.Timeline); !note(n, w.keepTimeline(), "%d later entries of the timeline") {
		return left
	}
	if n := len(w.spec.Phases); !note(n, w.keepWaits(), "the waits of %d phases") || !note(n, w.keepPhases(), "%d phases") {
		return left
	}
	if n := len(w.spec.KernelStats.Actors); !note(n, w.joinActors(), "the containers of %d actors") {
		return left
	}
	note(len(w.spec.Milestones.Containers), w.keepMilestones(), "milestones of %d containers")
	return left
}

// most is the greatest number of n things with which the spec has its size, 0 if none.
func (w *writer) most(n int, keep func(n int)) int {
	return w.between(0, n, keep)
}

// between is most, but not less than that.
func (w *writer) between(least, n int, keep func(n int)) int {
	kept := n - sort.Search(max(0, n-least), func(gone int) bool {
		keep(n - gone)
		return !w.tooLarge()
	})
	keep(kept)
	return kept
}

func (w *writer) keepTimeline() int {
	all := w.spec.Timeline
	return w.most(len(all), func(n int) { w.spec.Timeline = all[:n] })
}

// byWeight are the places of the phases, those first that say most.
func (w *writer) byWeight() []int {
	order := make([]int, len(w.spec.Phases))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &w.spec.Phases[i], &w.spec.Phases[j]
		return cmp.Or(cmp.Compare(b.CriticalMicroseconds, a.CriticalMicroseconds), cmp.Compare(b.DurationMicroseconds, a.DurationMicroseconds))
	})
	return order
}

func (w *writer) keepWaits() int {
	order, waits := w.byWeight(), make([]*v1alpha1.PhaseWaits, len(w.spec.Phases))
	for i := range w.spec.Phases {
		waits[i] = w.spec.Phases[i].Waits
	}
	return w.most(len(order), func(n int) {
		for rank, i := range order {
			if w.spec.Phases[i].Waits = nil; rank < n {
				w.spec.Phases[i].Waits = waits[i]
			}
		}
	})
}

func (w *writer) keepPhases() int {
	order, all := w.byWeight(), w.spec.Phases
	return w.between(phasesLeast, len(all), func(n int) {
		w.spec.Phases = nil
		for _, i := range slices.Sorted(slices.Values(order[:n])) {
			w.spec.Phases = append(w.spec.Phases, all[i])
		}
	})
}

// joinActors makes one of all that an actor did, for whichever container.
func (w *writer) joinActors() int {
	var joined []v1alpha1.ActorStats
	for _, a := range w.spec.KernelStats.Actors {
		i := slices.IndexFunc(joined, func(j v1alpha1.ActorStats) bool { return j.Actor == a.Actor })
		if i < 0 {
			joined = append(joined, v1alpha1.ActorStats{Actor: a.Actor})
			i = len(joined) - 1
		}
		joined[i].Syscalls += a.Syscalls
		joined[i].Processes += a.Processes
		joined[i].Execs += a.Execs
		joined[i].CPUMicroseconds += a.CPUMicroseconds
	}
	w.spec.KernelStats.Actors = joined
	return len(joined)
}

func (w *writer) keepMilestones() int {
	all := w.spec.Milestones.Containers
	return w.most(len(all), func(n int) { w.spec.Milestones.Containers = all[:n] })
}
