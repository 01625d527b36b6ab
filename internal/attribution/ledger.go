// SPDX-License-Identifier: Apache-2.0

package attribution

import (
	"maps"
	"path"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	// unresolvedAfter is how long a session may stay without a name.
	unresolvedAfter = uint64(2 * time.Minute)
	// rememberDead is how long a released cgroup or container can be named.
	rememberDead = uint64(5 * time.Minute)
	// bufferMax bounds the events kept for one session without a name.
	bufferMax = 1024
)

// Stats are running totals of a ledger.
type Stats struct {
	// Attributed events of sessions: the pod is known, or that it is no birth.
	Attributed uint64
	// Waiting events of sessions whose pod is not known yet.
	Waiting uint64
	// Dropped events, by the role of the session that never got a name.
	Dropped map[event.Role]uint64
}

// Clone copies the totals.
func (s Stats) Clone() Stats {
	s.Dropped = maps.Clone(s.Dropped)
	return s
}

// Total is all events of sessions.
func (s Stats) Total() uint64 {
	n := s.Attributed + s.Waiting
	for _, d := range s.Dropped {
		n += d
	}
	return n
}

type session struct {
	id          uint64
	parent      uint64
	role        event.Role
	op          string
	pod         string
	containerID string
	netns       string
	opened      uint64
	buffer      []event.Event
}

type container struct {
	pod     string
	sandbox bool
	// dead is when its cgroup was released, or when it was last heard of
	// without having a cgroup.
	dead     uint64
	released bool
	hasGroup bool
}

// Ledger names sessions. It is not safe for concurrent use.
type Ledger struct {
	dictionary *cgroup.Dictionary
	sessions   map[uint64]*session
	containers map[string]*container
	names      map[string]PodName
	netns      map[string]event.Event
	stats      Stats
}

// NewLedger makes a ledger that feeds and reads the given dictionary.
func NewLedger(d *cgroup.Dictionary) *Ledger {
	return &Ledger{
		dictionary: d,
		sessions:   map[uint64]*session{},
		containers: map[string]*container{},
		names:      map[string]PodName{},
		netns:      map[string]event.Event{},
		stats:      Stats{Dropped: map[event.Role]uint64{}},
	}
}

// Learn enters a cgroup that existed before the ledger listened.
func (l *Ledger) Learn(id, pointer uint64, p string) {
	l.addCgroup(id, p, pointer)
}

// Name is what a CNI plugin was told that the pod is called; the zero value if
// none was heard.
func (l *Ledger) Name(podUID string) PodName { return l.names[podUID] }

// Stats returns the running totals.
func (l *Ledger) Stats() Stats { return l.stats }

// IsSandbox tells whether a container id is known to be a pod's sandbox.
func (l *Ledger) IsSandbox(containerID string) bool {
	c := l.containers[containerID]
	return c != nil && c.sandbox
}

// Verdict is what became of an event.
type Verdict struct {
	// Attributed are the events whose pod is now known, oldest first: the one
	// just heard, and those that waited for the same name.
	Attributed []Attributed
	// Forget are sessions that are no part of a birth.
	Forget []uint64
}

// Hear takes one event.
func (l *Ledger) Hear(e event.Event) Verdict {
	switch e.Kind {
	case event.CgroupMkdir:
		return l.hearMkdir(e)
	case event.CgroupRmdir:
		l.hearRmdir(e)
		return Verdict{}
	case event.NetnsBind:
		l.netns[e.File] = e
		return Verdict{}
	case event.SessionOpen:
		return l.hearOpen(e)
	}
	s := l.sessions[e.Session]
	if s == nil {
		return Verdict{} // forgotten; the kernel has not noticed yet
	}
	if e.Kind == event.CgroupJoin {
		l.hearJoin(s, e)
	}
	return l.keep(s, e)
}

func (l *Ledger) addCgroup(id uint64, p string, pointer uint64) *cgroup.Entry {
	entry := l.dictionary.Add(id, p, pointer)
	if entry.Place.IsContainer() {
		c := l.container(entry.Place.ContainerID)
		c.pod, c.hasGroup = entry.Place.PodUID, true
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
	if place.PodUID == "" || place.IsContainer() && !cgroup.ParsePath(path.Dir(e.Path)).IsPod() {
		return Verdict{}
	}
	who := Identity{PodUID: place.PodUID, ContainerID: place.ContainerID, Sandbox: l.IsSandbox(place.ContainerID)}
	v := l.resolveWaiting()
	v.Attributed = append(v.Attributed, Attributed{e, who})
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

func (l *Ledger) hearOpen(e event.Event) Verdict {
	s := &session{id: e.Session, parent: e.Open.Parent, role: e.Open.Role, opened: e.Time}
	switch s.role {
	case event.RoleCNI:
		s.op, s.containerID, s.netns = e.Open.CNI.Command, e.Open.CNI.ContainerID, e.Open.CNI.Netns
	case event.RoleRuntime:
		s.op, s.containerID = runtimeCommand(e.Open.Args)
	case event.RoleShim:
		s.op, s.containerID = shimCommand(e.Open.Args)
	case event.RoleMonitor:
		s.containerID = optionValue(e.Open.Args, "-c", "--cid")
	}
	if !ofBirth(s.role, s.op) {
		l.stats.Attributed++
		return Verdict{Forget: []uint64{s.id}}
	}
	l.sessions[s.id] = s
	l.learnFromOpen(s, e)
	v := l.keep(s, e)
	if s.role == event.RoleCNI && s.pod != "" {
		v.Attributed = append(l.takeNetns(s), v.Attributed...)
		more := l.resolveWaiting()
		v.Attributed = append(v.Attributed, more.Attributed...)
	}
	return v
}

// learnFromOpen enters what a shim or a CNI plugin says about a sandbox: the
// id that they serve is the sandbox's.
func (l *Ledger) learnFromOpen(s *session, e event.Event) {
	if s.containerID == "" || s.role != event.RoleCNI && s.role != event.RoleShim {
		return
	}
	c := l.container(s.containerID)
	c.sandbox = true
	if !c.hasGroup {
		c.dead = e.Time
	}
	if s.role != event.RoleCNI {
		return
	}
	if name := cniPod(e.Open.CNI.Args); name.UID != "" {
		c.pod = name.UID
		l.names[name.UID] = name
	}
}

func (l *Ledger) takeNetns(s *session) []Attributed {
	bind, ok := l.netns[s.netns]
	if !ok {
		return nil
	}
	delete(l.netns, s.netns)
	who := l.identity(s)
	who.Role, who.Op = "", ""
	return []Attributed{{bind, who}}
}

func (l *Ledger) hearJoin(s *session, e event.Event) {
	entry, ok := l.dictionary.Lookup(e.Cgroup)
	if !ok || entry.Place.PodUID == "" {
		return
	}
	if s.pod == "" {
		s.pod = entry.Place.PodUID
	}
	if s.containerID == "" {
		s.containerID = entry.Place.ContainerID
	}
}

// resolve finds a session's pod: by its container, or by the session that it
// came out of (a shim serves one pod).
func (l *Ledger) resolve(s *session) bool {
	if s.pod != "" {
		return true
	}
	if c := l.containers[s.containerID]; c != nil && c.pod != "" {
		s.pod = c.pod
		return true
	}
	if parent := l.sessions[s.parent]; parent != nil && s.parent != s.id && parent.pod != "" {
		s.pod = parent.pod
		return true
	}
	return false
}

func (l *Ledger) identity(s *session) Identity {
	return Identity{PodUID: s.pod, ContainerID: s.containerID, Sandbox: l.IsSandbox(s.containerID), Role: s.role, Op: s.op}
}

// keep attributes an event of a session or lets it wait.
func (l *Ledger) keep(s *session, e event.Event) Verdict {
	if !l.resolve(s) {
		if len(s.buffer) < bufferMax {
			s.buffer = append(s.buffer, e)
			l.stats.Waiting++
		} else {
			l.stats.Dropped[s.role]++
		}
		return Verdict{}
	}
	attributed := l.release(s)
	l.stats.Attributed++
	return Verdict{Attributed: append(attributed, Attributed{e, l.identity(s)})}
}

// release attributes the events that waited for the session's name.
func (l *Ledger) release(s *session) []Attributed {
	var out []Attributed
	for _, e := range s.buffer {
		out = append(out, Attributed{e, l.identity(s)})
	}
	l.stats.Waiting -= uint64(len(s.buffer))
	l.stats.Attributed += uint64(len(s.buffer))
	s.buffer = nil
	return out
}

func (l *Ledger) resolveWaiting() Verdict {
	var v Verdict
	for _, s := range l.sessions {
		if len(s.buffer) > 0 && l.resolve(s) {
			v.Attributed = append(v.Attributed, l.release(s)...)
		}
	}
	return v
}

// Knows tells whether a session was heard to open and has not been forgotten.
func (l *Ledger) Knows(id uint64) bool { return l.sessions[id] != nil }

// Forget drops a session that is over.
func (l *Ledger) Forget(id uint64) {
	if s := l.sessions[id]; s != nil {
		l.drop(s)
	}
}

func (l *Ledger) drop(s *session) {
	l.stats.Waiting -= uint64(len(s.buffer))
	l.stats.Dropped[s.role] += uint64(len(s.buffer))
	delete(l.sessions, s.id)
}

// Sweep gives up sessions that stayed without a name, and returns them; it
// also forgets what has been gone for long.
func (l *Ledger) Sweep(now uint64) []uint64 {
	var given []uint64
	for id, s := range l.sessions {
		if s.pod == "" && now-s.opened > unresolvedAfter {
			l.drop(s)
			given = append(given, id)
		}
	}
	for id, c := range l.containers {
		if (c.released || !c.hasGroup) && now-c.dead > rememberDead {
			delete(l.containers, id)
			delete(l.names, c.pod)
		}
	}
	for file, e := range l.netns {
		if now-e.Time > rememberDead {
			delete(l.netns, file)
		}
	}
	if now > rememberDead {
		l.dictionary.Sweep(now - rememberDead)
	}
	return given
}
