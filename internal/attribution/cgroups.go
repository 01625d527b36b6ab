// SPDX-License-Identifier: Apache-2.0

package attribution

import (
	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

type container struct {
	pod     string
	sandbox bool
	// dead is when its cgroup was released, or when it was last heard of
	// without having a cgroup.
	dead     uint64
	released bool
	hasGroup bool
}

func (l *Ledger) addCgroup(id uint64, p string, pointer uint64) *cgroup.Entry {
	entry := l.dictionary.Add(id, p, pointer)
	if entry.Place.IsContainer() {
		c := l.container(entry.Place.ContainerID)
		c.pod, c.hasGroup, c.released = entry.Place.PodUID, true, false
	}
	return entry
}

func (l *Ledger) container(id string) *container {
	c := l.containers[id]
	if c == nil {
		c = &container{}
		l.containers[id] = c
	}
	return c
}

func (l *Ledger) hearMkdir(e event.Event) Verdict {
	entry := l.addCgroup(e.Cgroup, e.Path, e.Pointer)
	place := entry.Place
	if place.PodUID == "" || place.IsContainer() && place.Below {
		return Verdict{}
	}
	who := Identity{PodUID: place.PodUID, ContainerID: place.ContainerID, Sandbox: l.IsSandbox(place.ContainerID)}
	l.count()
	l.attributed++
	v := l.resolveWaiting()
	v.Attributed = append(v.Attributed, Attributed{e, who})
	v.Attributed = append(v.Attributed, l.takeMounts(place.ContainerID, who)...)
	return v
}

func (l *Ledger) hearRmdir(e event.Event) {
	entry, ok := l.dictionary.Release(e.Cgroup, e.Time)
	if !ok || !entry.Place.IsContainer() {
		return
	}
	if c := l.containers[entry.Place.ContainerID]; c != nil {
		c.released, c.dead = true, e.Time
	}
}
