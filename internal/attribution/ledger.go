// SPDX-License-Identifier: Apache-2.0

package attribution

import (
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
	// waitingMax bounds the events that wait for a name, all together.
	waitingMax = 65536
)

type session struct {
	id          uint64
	parent      uint64
	role        event.Role
	op          string
	pod         string
	containerID string
	netns       string
	// within is the path of the container's cgroup that the session was opened in, empty
	// for one of the node itself.
	within string
	opened uint64
	buffer []held
}

// held is an event that waits for a name.
type held struct {
	event.Event
	number uint64 // of the events heard
}

// Ledger names sessions. It is not safe for concurrent use.
type Ledger struct {
	dictionary *cgroup.Dictionary
	sessions   map[uint64]*session
	containers map[string]*container
	names      map[string]PodName
	// Mounts by daemons whose pod is not known yet, by what their target names: a
	// network namespace's path, or a container's id.
	mounts map[string][]held
	tally
}

// NewLedger makes a ledger that feeds and reads the given dictionary.
func NewLedger(d *cgroup.Dictionary) *Ledger {
	return &Ledger{
		dictionary: d,
		sessions:   map[uint64]*session{},
		containers: map[string]*container{},
		names:      map[string]PodName{},
		mounts:     map[string][]held{},
		tally:      tally{dropped: map[event.Role]uint64{}},
	}
}

// Learn enters a cgroup that existed before the ledger listened.
func (l *Ledger) Learn(id, pointer uint64, p string) {
	l.addCgroup(id, p, pointer)
}

// Name is what a CNI plugin was told that the pod is called; the zero value if
// none was heard.
func (l *Ledger) Name(podUID string) PodName { return l.names[podUID] }

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
		return l.hearMount(e, e.File)
	case event.SessionOpen:
		return l.hearOpen(e)
	}
	if e.Session == 0 && e.Kind == event.Mount {
		return l.hearDaemonMount(e)
	}
	s := l.sessions[e.Session]
	if s == nil {
		l.count() // forgotten; the kernel has not noticed yet
		l.attributed++
		return Verdict{}
	}
	if e.Kind == event.CgroupJoin {
		l.hearJoin(s, e)
	}
	return l.keep(s, e)
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
		s.op, s.containerID = monitorCommand(e.Open.Args)
	}
	s.within = l.containerOf(e.Cgroup)
	if !ofBirth(s.role, s.op) || !l.mayBelieve(s, e.Open.CNI) {
		l.count()
		l.attributed++
		return Verdict{Forget: []uint64{s.id}}
	}
	l.sessions[s.id] = s
	l.learnFromOpen(s, e)
	v := l.keep(s, e)
	if s.role == event.RoleCNI && s.pod != "" {
		who := l.identity(s)
		who.Role, who.Op = "", ""
		v.Attributed = append(l.takeMounts(s.netns, who), v.Attributed...)
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
	if name := cniPod(e.Open.CNI.Args); name.UID != "" && l.believes(s, name.UID) {
		c.pod = name.UID
		l.names[name.UID] = name
	}
}

func (l *Ledger) hearJoin(s *session, e event.Event) {
	entry, ok := l.dictionary.Lookup(e.Cgroup)
	if !ok || entry.Place.PodUID == "" {
		return
	}
	if s.pod == "" && l.believes(s, entry.Place.PodUID) {
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
	if c := l.containers[s.containerID]; c != nil && c.pod != "" && l.believes(s, c.pod) {
		s.pod = c.pod
		return true
	}
	if parent := l.sessions[s.parent]; parent != nil && s.parent != s.id && parent.pod != "" && l.believes(s, parent.pod) {
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
	h := held{e, l.count()}
	if !l.resolve(s) {
		if len(s.buffer) < bufferMax && l.waiting < waitingMax {
			s.buffer = append(s.buffer, h)
			l.waiting++
		} else {
			l.drop(s.role, h)
		}
		return Verdict{}
	}
	attributed := l.release(s)
	l.attributed++
	return Verdict{Attributed: append(attributed, Attributed{e, l.identityOf(s, e)})}
}

// identityOf is the session's, but for the shim: it serves all containers of the
// pod, and a mount of its says for which.
func (l *Ledger) identityOf(s *session, e event.Event) Identity {
	who := l.identity(s)
	if e.Kind == event.Mount {
		if id := containerOfRoot(e.Path); id != "" {
			who.ContainerID, who.Sandbox = id, l.IsSandbox(id)
		}
	}
	return who
}

// release attributes the events that waited for the session's name.
func (l *Ledger) release(s *session) []Attributed {
	var out []Attributed
	for _, h := range s.buffer {
		out = append(out, Attributed{h.Event, l.identityOf(s, h.Event)})
	}
	l.waiting -= uint64(len(s.buffer))
	l.attributed += uint64(len(s.buffer))
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
