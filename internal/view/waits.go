// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// waitKind is one kind of waiting and how long it was in microseconds.
type waitKind struct {
	name string
	us   int64
}

// allWaits are the kinds in the order of the API; none for a phase of which
// they are not known.
func allWaits(w *v1alpha1.PhaseWaits) []waitKind {
	if w == nil {
		return nil
	}
	return []waitKind{
		{"runnable", w.RunnableMicroseconds}, {"disk", w.DiskMicroseconds}, {"lock", w.LockMicroseconds},
		{"network", w.NetworkMicroseconds}, {"message", w.MessageMicroseconds}, {"process", w.ProcessMicroseconds},
		{"timer", w.TimerMicroseconds}, {"other", w.OtherMicroseconds},
	}
}

// waitKinds are those that took any time, longest first.
func waitKinds(w *v1alpha1.PhaseWaits) []waitKind {
	kinds := slices.DeleteFunc(allWaits(w), func(k waitKind) bool { return k.us <= 0 })
	slices.SortStableFunc(kinds, func(a, b waitKind) int { return cmp.Compare(b.us, a.us) })
	return kinds
}
