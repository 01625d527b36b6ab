// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"errors"
	"path"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Throttling reads the bandwidth of every container, once, and leans in on those
// that are suspected by now.
func (e *Engine) Throttling(now uint64) {
	e.round.plan(e.dictionary)
	e.round.begin()
	for i := range e.round.members {
		m := &e.round.members[i]
		// Who it is comes first: of a pod that opted out nothing is read.
		if m.wanted = !e.ledger.IsSandbox(m.entry.Place.ContainerID); m.wanted {
			m.container, m.wanted = e.identify(m.entry)
		}
		if m.wanted {
			e.round.want(m)
		}
	}
	ReadGroups(e.kernel, e.round.asked, e.round.readings)
	for i := range e.round.members {
		if m := &e.round.members[i]; m.wanted {
			e.sample(m)
		}
	}
	if e.leanIn != nil {
		e.lean(now)
	}
}

// sample hands on what was read of a container.
func (e *Engine) sample(m *member) {
	levels, limited := e.levels(m)
	if len(levels) == 0 {
		return // it is going
	}
	if limited {
		e.stats.Samples++
	}
	e.whisper(e.watch.Take(cpu.Sample{Container: m.container, Levels: levels}))
}

// Node takes how the node's CPUs have been used.
func (e *Engine) Node(n cpu.Node) { e.whisper(e.watch.Node(n)) }

// levels are the container's own cgroup and those above it that have a limit, and
// whether any limits it.
func (e *Engine) levels(m *member) ([]cpu.Level, bool) {
	own := e.reading(m.own)
	if own == nil {
		return nil, false
	}
	levels := make([]cpu.Level, 1, 1+e.round.limits(m))
	levels[0] = cpu.Level{At: v1alpha1.ThrottledAtContainer, Path: m.entry.Path, Group: *own}
	id := m.entry.Place.ContainerID
	refs := append(e.cgroups[id][:0], CgroupRef{ID: m.entry.ID, Pointer: m.entry.Pointer})
	limited := own.Quota > 0
	for i, at := range m.above {
		g := e.reading(at)
		if g == nil || g.Quota == 0 {
			continue
		}
		up := e.round.cgroups[at].entry
		level := v1alpha1.ThrottledAtAncestor
		if i == 0 && m.inPod {
			level = v1alpha1.ThrottledAtPod
		}
		limited = true
		levels = append(levels, cpu.Level{At: level, Path: up.Path, Group: *g})
		refs = append(refs, CgroupRef{ID: up.ID, Pointer: up.Pointer})
	}
	e.cgroups[id] = refs
	return levels, limited
}

// identify names a container. It fails for pods that opted out and as long as
// the name is not known.
func (e *Engine) identify(c *cgroup.Entry) (cpu.Container, bool) {
	id := c.Place.ContainerID
	out := cpu.Container{PodUID: c.Place.PodUID, ID: id}
	if pod, ok := e.book.Pod(c.Place.PodUID); ok {
		out.Namespace, out.Pod, out.Name = pod.Namespace, pod.Name, pod.ContainerName(id)
		return out, !pod.OptedOut && out.Name != ""
	}
	if !e.config.Birth.WithoutAPI {
		return out, false
	}
	name := e.ledger.Name(c.Place.PodUID)
	out.Namespace, out.Pod, out.Name = name.Namespace, name.Name, shortID(id)
	return out, out.Pod != ""
}

// shortID is what a container is called whose name nobody tells.
func shortID(id string) string { return id[:min(12, len(id))] }

func (e *Engine) containerGone(id string) {
	delete(e.cgroups, id)
	e.whisper(e.watch.Gone(id))
}

// removed takes the end of a cgroup: that of a pod, of a container, or of
// something below or beside them.
func (e *Engine) removed(ev event.Event) {
	entry, ok := e.dictionary.Lookup(ev.Cgroup)
	switch {
	case !ok:
	case entry.Place.IsPod() && !cgroup.ParsePath(path.Dir(entry.Path)).IsPod():
		e.book.CgroupGone(entry.Place.PodUID, ev.Time)
		delete(e.unheard, entry.Place.PodUID)
		e.drop(entry.Place.PodUID)
	case entry.Place.IsContainer() && !entry.Place.Below:
		e.containerGone(entry.Place.ContainerID)
	}
}

// GroupsReader is a Kernel that reads many cgroups for less than one by one.
type GroupsReader interface {
	// ReadGroups reads as ReadGroup does; what came of each is at its own place in
	// into, which has as many.
	ReadGroups(of []CgroupRef, into []event.Reading)
}

// ReadGroups reads cgroups, all at once if the kernel does that.
func ReadGroups(k Kernel, of []CgroupRef, into []event.Reading) {
	if many, ok := k.(GroupsReader); ok {
		many.ReadGroups(of, into)
		return
	}
	event.ReadEach(of, into, k.ReadGroup)
}

// reading is what came of a cgroup in this round; nil if it cannot be read: mostly it
// is gone, or going.
func (e *Engine) reading(at int) *event.Group {
	r := e.round.reading(at)
	if r.Err == nil {
		return &r.Group
	}
	if !errors.Is(r.Err, event.ErrGone) && !errors.Is(r.Err, event.ErrUnread) {
		e.kernelError("read a cgroup's bandwidth", r.Err)
		r.Err = event.ErrGone // and is told once
	}
	return nil
}
