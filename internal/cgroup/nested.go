// SPDX-License-Identifier: Apache-2.0

package cgroup

import "strings"

// A cluster may live in a container of a pod: its pods' cgroups lie below that
// container's. But so does whatever else is made there, and called by any name: it does
// not speak for a pod that has its cgroup elsewhere.

// outer is the path of the container's cgroup that the pod of a path lies in, empty if it
// lies in none.
func outer(p string) string {
	for end := len(p); end > 0; {
		at := strings.LastIndexByte(p[:end], '/')
		if podDir.MatchString(p[at+1 : end]) {
			above := Entry{Path: p[:max(at, 0)]}
			above.Place = ParsePath(above.Path)
			return above.ContainerPath()
		}
		end = at
	}
	return ""
}

// doubt takes what a new cgroup says of itself for what it is, and what others have said
// for what it is now.
func (d *Dictionary) doubt(e *Entry) {
	uid := e.Place.PodUID
	if uid == "" {
		return
	}
	in, home := outer(e.Path), d.homes[uid]
	if home != nil && home.Dead != 0 {
		home = nil
	}
	if in != "" && home != nil && !strings.HasPrefix(home.Path, in+"/") {
		e.disbelieve(in)
		return
	}
	if !e.Place.IsPod() || in != "" && home != nil {
		return
	}
	d.homes[uid] = e
	if home != nil && in == "" {
		d.disbelieveOthers(uid)
	}
}

// disbelieveOthers is for a pod that has its cgroup in no container, and that others have
// spoken for before it came.
func (d *Dictionary) disbelieveOthers(uid string) {
	for _, e := range d.byID {
		if e.Place.PodUID != uid {
			continue
		}
		if in := outer(e.Path); in != "" {
			e.disbelieve(in)
		}
	}
}

// disbelieve makes it one of the cgroups below a container's.
func (e *Entry) disbelieve(container string) {
	e.Place = ParsePath(container)
	e.Place.Below = true
}
