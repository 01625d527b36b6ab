// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"sort"
	"strings"
)

// Entry is one cgroup of the dictionary.
type Entry struct {
	ID      uint64
	Path    string
	Pointer uint64
	Place   Place
	// Dead is when the cgroup was released (ns, the clock of events), or 0.
	Dead uint64
}

// Dictionary knows the cgroups of one hierarchy by id. Released ones stay for
// a while, because events that name them may still be on their way. It is not
// safe for concurrent use.
type Dictionary struct {
	byID   map[uint64]*Entry
	byPath map[string]*Entry
	// homes are the pods' own cgroups, by UID.
	homes map[string]*Entry
	// released are those that stay for a while, in the order of their release.
	released []*Entry
	changes  uint64
}

// releasedMax bounds those that were released and stay: of a storm of cgroups the
// latest. Of the ordinary churn of a full node it is minutes.
const releasedMax = 16384

// NewDictionary makes an empty dictionary.
func NewDictionary() *Dictionary {
	return &Dictionary{byID: map[uint64]*Entry{}, byPath: map[string]*Entry{}, homes: map[string]*Entry{}}
}

// Add enters a cgroup and returns its entry. A path that is made anew belongs
// to the new id.
func (d *Dictionary) Add(id uint64, p string, pointer uint64) *Entry {
	e := &Entry{ID: id, Path: p, Pointer: pointer, Place: ParsePath(p)}
	d.byID[id] = e
	d.doubt(e)
	d.byPath[p] = e
	d.changes++
	return e
}

// Release marks a cgroup as gone.
func (d *Dictionary) Release(id, now uint64) (*Entry, bool) {
	e, ok := d.byID[id]
	if !ok {
		return nil, false
	}
	if e.Dead == 0 {
		d.released = append(d.released, e)
	}
	d.changes++
	e.Dead = now
	e.Pointer = 0
	if len(d.released) > releasedMax {
		d.drop()
	}
	return e, true
}

// drop forgets the one that was released first.
func (d *Dictionary) drop() {
	e := d.released[0]
	d.released[0] = nil
	d.released = d.released[1:]
	if d.byID[e.ID] == e {
		delete(d.byID, e.ID)
	}
	if d.byPath[e.Path] == e {
		delete(d.byPath, e.Path)
	}
	if uid := e.Place.PodUID; d.homes[uid] == e {
		delete(d.homes, uid)
	}
}

// Lookup finds a cgroup by id.
func (d *Dictionary) Lookup(id uint64) (*Entry, bool) {
	e, ok := d.byID[id]
	return e, ok
}

// Ancestors are the living cgroups above a path, nearest first, without the root.
func (d *Dictionary) Ancestors(p string) []*Entry {
	var up []*Entry
	for i := strings.LastIndexByte(p, '/'); i > 0; i = strings.LastIndexByte(p[:i], '/') {
		if e, ok := d.byPath[p[:i]]; ok && e.Dead == 0 {
			up = append(up, e)
		}
	}
	return up
}

// Containers are the living cgroups of containers themselves (not those that a
// container made below its own), ordered by path.
func (d *Dictionary) Containers() []*Entry {
	var all []*Entry
	for _, e := range d.byID {
		if e.Dead == 0 && e.Place.IsContainer() && !e.Place.Below {
			all = append(all, e)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	return all
}

// PodBelow is true if a pod's living cgroup lies below a path: the one of that UID, or
// any if that is empty.
func (d *Dictionary) PodBelow(p, uid string) bool {
	for _, e := range d.byID {
		if e.Dead == 0 && e.Place.IsPod() && (uid == "" || e.Place.PodUID == uid) && strings.HasPrefix(e.Path, p+"/") {
			return true
		}
	}
	return false
}

// Pods are those of which a cgroup is known, living or released, by UID.
func (d *Dictionary) Pods() map[string]bool {
	all := map[string]bool{}
	for _, e := range d.byID {
		if e.Place.PodUID != "" {
			all[e.Place.PodUID] = true
		}
	}
	return all
}

// Without are the living cgroups that are not among those found, by id.
func (d *Dictionary) Without(found map[uint64]bool) []uint64 {
	var gone []uint64
	for id, e := range d.byID {
		if e.Dead == 0 && !found[id] {
			gone = append(gone, id)
		}
	}
	return gone
}

// Sweep drops entries that were released before the given time.
func (d *Dictionary) Sweep(before uint64) {
	for len(d.released) > 0 && d.released[0].Dead < before {
		d.drop()
	}
}

// Len is the number of entries, dead ones included.
func (d *Dictionary) Len() int { return len(d.byID) }

// Changes is how often a cgroup was entered or released: while it stays the same, so
// do the containers, what is above them and where the kernel has them.
func (d *Dictionary) Changes() uint64 { return d.changes }

// ContainerPath is the path of the container's own cgroup that a cgroup is or lies
// below, empty if there is none.
func (e *Entry) ContainerPath() string {
	switch {
	case !e.Place.IsContainer():
		return ""
	case !e.Place.Below:
		return e.Path
	}
	own := e.Place
	own.Below = false
	for i := strings.LastIndexByte(e.Path, '/'); i > 0; i = strings.LastIndexByte(e.Path[:i], '/') {
		if ParsePath(e.Path[:i]) == own {
			return e.Path[:i]
		}
	}
	return ""
}
