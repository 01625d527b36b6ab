// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"cmp"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// preemptorsMax is how many of those who ran meanwhile are told.
const preemptorsMax = 3

// Neighbor names whoever has a cgroup, a container of a pod by its name as well, as
// far as that is known. WaitMicroseconds is not set.
type Neighbor func(cgroup uint64) v1alpha1.Preemptor

// runner is who ran while a container waited, and for how long (ns).
type runner struct {
	who v1alpha1.Preemptor
	// own: its own threads did, whatever cgroups below its own they are in.
	own    bool
	waited uint64
}

// meanwhile are those who ran while a container waited. Of its own pod they are told
// apart by the container, of others they are one: several cgroups may be a pod's.
func meanwhile(r event.Recording, of Container, name Neighbor) []runner {
	byCgroup := map[uint64]uint64{}
	for _, b := range r.Bursts {
		if b.Preemptor != 0 && b.PreemptorTime > 0 {
			byCgroup[b.Preemptor] += b.PreemptorTime
		}
	}
	sums := map[runner]uint64{}
	for cgroup, waited := range byCgroup {
		x := runner{who: name(cgroup), own: cgroup == r.Cgroup}
		if x.who.Pod == "" || x.who.Pod != of.Pod || x.who.Namespace != of.Namespace {
			x.who.Container = ""
		} else if x.own || x.who.Container == "" || x.who.Container == of.Name {
			x.own, x.who.Container = true, ""
		}
		sums[x] += waited
	}
	var all []runner
	for x, waited := range sums {
		x.waited = waited
		all = append(all, x)
	}
	return all
}

// preemptors tells them, the greatest first.
func preemptors(ran []runner) []v1alpha1.Preemptor {
	var all []v1alpha1.Preemptor
	for _, x := range ran {
		x.who.WaitMicroseconds = int64(x.waited / 1000)
		if x.who.WaitMicroseconds > 0 {
			all = append(all, x.who)
		}
	}
	slices.SortFunc(all, func(a, b v1alpha1.Preemptor) int {
		return cmp.Or(cmp.Compare(b.WaitMicroseconds, a.WaitMicroseconds), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container), cmp.Compare(a.Cgroup, b.Cgroup))
	})
	return all[:min(len(all), preemptorsMax)]
}
