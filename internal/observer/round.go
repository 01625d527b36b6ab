// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"path"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// round is one reading of all counters. Which cgroups there are is found anew only
// after it has changed: to look it up each second cost more than to read them.
type round struct {
	// changes of the dictionary that are in the plan, and whether there is a plan.
	changes uint64
	planned bool
	members []member
	cgroups []counted
	// asked are the cgroups that are read this time, readings what came of each.
	asked    []event.CgroupRef
	readings []event.Reading
}

// member is a container of a round.
type member struct {
	entry *cgroup.Entry
	// own and above are places in the round's cgroups, above nearest first.
	own   int
	above []int
	// inPod: the nearest above is the pod's.
	inPod     bool
	container cpu.Container
	wanted    bool
}

// counted is a cgroup that a round may read.
type counted struct {
	entry *cgroup.Entry
	// at is its place among those that are asked for this time, or notAsked.
	at int
}

const notAsked = -1

// plan finds the containers and what is above them.
func (r *round) plan(d *cgroup.Dictionary) {
	if r.planned && r.changes == d.Changes() {
		return
	}
	r.planned, r.changes = true, d.Changes()
	r.members, r.cgroups = r.members[:0], r.cgroups[:0]
	known := map[*cgroup.Entry]int{}
	place := func(e *cgroup.Entry) int {
		at, ok := known[e]
		if !ok {
			at = len(r.cgroups)
			known[e] = at
			r.cgroups = append(r.cgroups, counted{entry: e})
		}
		return at
	}
	for _, e := range d.Containers() {
		m := member{entry: e, own: place(e)}
		for i, up := range d.Ancestors(e.Path) {
			m.inPod = m.inPod || i == 0 && up.Place.IsPod() && up.Path == path.Dir(e.Path)
			m.above = append(m.above, place(up))
		}
		r.members = append(r.members, m)
	}
}

// begin asks for nothing.
func (r *round) begin() {
	for i := range r.cgroups {
		r.cgroups[i].at = notAsked
	}
	r.asked, r.readings = r.asked[:0], r.readings[:0]
}

// want asks for all levels of a container, each cgroup once.
func (r *round) want(m *member) {
	r.ask(m.own)
	for _, at := range m.above {
		r.ask(at)
	}
}

func (r *round) ask(at int) {
	c := &r.cgroups[at]
	if c.at != notAsked {
		return
	}
	c.at = len(r.asked)
	r.asked = append(r.asked, event.CgroupRef{ID: c.entry.ID, Pointer: c.entry.Pointer})
	r.readings = append(r.readings, event.Reading{})
}

// reading is what came of a cgroup that was asked for.
func (r *round) reading(at int) *event.Reading { return &r.readings[r.cgroups[at].at] }

// limits is how many levels above a container have a limit.
func (r *round) limits(m *member) int {
	n := 0
	for _, at := range m.above {
		if of := r.reading(at); of.Err == nil && of.Group.Quota != 0 {
			n++
		}
	}
	return n
}
