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
	reader := groupReader{engine: e, groups: map[uint64]*event.Group{}}
	for _, c := range e.dictionary.Containers() {
		if e.ledger.IsSandbox(c.Place.ContainerID) {
			continue
		}
		// Who it is comes first: of a pod that opted out nothing is read.
		container, ok := e.identify(c)
		if !ok {
			continue
		}
		levels, limited := e.levels(&reader, c)
		if len(levels) == 0 {
			continue // it is going
		}
		if limited {
			e.stats.Samples++
		}
		e.whisper(e.watch.Take(cpu.Sample{Container: container, Levels: levels}))
	}
	if e.leanIn != nil {
		e.lean(now)
	}
}

// Node takes how the node's CPUs have been used.
func (e *Engine) Node(n cpu.Node) { e.whisper(e.watch.Node(n)) }

// levels are the container's own cgroup and those above it that have a limit, and
// whether any limits it.
func (e *Engine) levels(r *groupReader, c *cgroup.Entry) ([]cpu.Level, bool) {
	own := r.read(c)
	if own == nil {
		return nil, false
	}
	levels := []cpu.Level{{At: v1alpha1.ThrottledAtContainer, Path: c.Path, Group: *own}}
	refs := append(e.cgroups[c.Place.ContainerID][:0], CgroupRef{c.ID, c.Pointer})
	limited := own.Quota > 0
	for _, up := range e.dictionary.Ancestors(c.Path) {
		g := r.read(up)
		if g == nil || g.Quota == 0 {
			continue
		}
		at := v1alpha1.ThrottledAtAncestor
		if up.Place.IsPod() && up.Path == path.Dir(c.Path) {
			at = v1alpha1.ThrottledAtPod
		}
		limited = true
		levels = append(levels, cpu.Level{At: at, Path: up.Path, Group: *g})
		refs = append(refs, CgroupRef{up.ID, up.Pointer})
	}
	e.cgroups[c.Place.ContainerID] = refs
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
	out.Namespace, out.Pod, out.Name = name.Namespace, name.Name, id[:min(12, len(id))]
	return out, out.Pod != ""
}

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

// groupReader reads each cgroup at most once per round.
type groupReader struct {
	engine *Engine
	groups map[uint64]*event.Group
}

// read returns nil for a cgroup that cannot be read: mostly it is gone, or going.
func (r *groupReader) read(c *cgroup.Entry) *event.Group {
	if g, ok := r.groups[c.ID]; ok {
		return g
	}
	var found *event.Group
	switch g, err := r.engine.kernel.ReadGroup(c.ID, c.Pointer); {
	case err == nil:
		found = &g
	case !errors.Is(err, event.ErrGone) && !errors.Is(err, event.ErrUnread):
		r.engine.kernelError("read a cgroup's bandwidth", err)
	}
	r.groups[c.ID] = found
	return found
}
