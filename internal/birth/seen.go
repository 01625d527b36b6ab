// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// seen is what is known of a pod from the API server.
type seen struct {
	pod Pod
	// first is when the pod was first told, ready when it was first told Ready,
	// outcome when it was told so, to be over, or first to be failing, whichever was
	// last, and deleted when its deletion was first told.
	first, ready, outcome, deleted uint64
	// mirrorless is since when a static pod that is being born has had no mirror.
	mirrorless uint64
	// readyClock is what ready was taken by.
	readyClock v1alpha1.Clock
	// epoch is what the wall clock was at zero of the clock of events, by the time
	// that the pod was first told.
	epoch time.Time
	// names are all containers that the pod has had, by id: a restart has a new one.
	names map[string]string
	// started and readyAt are when containers were first told so, by name.
	started, readyAt map[string]uint64
	// setbacks of its containers, as their statuses showed them.
	setbacks map[setbackKey]setback
	// hookErrors are what the status said of postStart hooks that failed, by container.
	hookErrors map[string]string
	// remarks are what the kubelet said, and asked when it was last asked for.
	remarks []Remark
	asked   uint64
	answers int
	// born is true once its birth has ended.
	born bool
}

func newSeen(p Pod, first uint64) *seen {
	return &seen{pod: p, first: first, names: map[string]string{}, started: map[string]uint64{}, readyAt: map[string]uint64{}}
}

// learn takes what the pod's state says of its containers.
func (s *seen) learn(p Pod, at uint64) {
	s.noteSetbacks(&p, at)
	s.noteHooks(&p)
	s.pod, s.mirrorless = p, 0
	switch {
	case !p.Deleted:
		s.deleted = 0 // also of a static pod whose mirror was deleted and made again
	case s.deleted == 0:
		s.deleted = at
	}
	note := func(moments map[string]uint64, name string, holds bool) {
		if _, known := moments[name]; holds && !known {
			moments[name] = at
		}
	}
	for _, c := range p.Containers {
		if c.ID != "" {
			s.names[c.ID] = c.Name
		}
		note(s.started, c.Name, c.Started)
		note(s.readyAt, c.Name, c.Ready)
	}
}

// lateAfter is the delay over which a delivery says less about the time of
// Ready than the whole seconds of the condition itself.
const lateAfter = 3 * time.Second

func (b *Book) setReady(s *seen, at uint64) {
	s.ready, s.readyClock = at, v1alpha1.ClockWatch
	since := s.pod.ReadySince
	if since.IsZero() || stepped(s.epoch, b.epoch(at)) {
		return
	}
	if late := b.config.Wall(at).Sub(since); late > lateAfter && uint64(late) < at {
		s.ready, s.readyClock = at-uint64(late), v1alpha1.ClockAPI
	}
}

// Tell takes the state of a pod, as delivered at the given time. It may end a birth
// that is none.
func (b *Book) Tell(p Pod, at uint64) {
	s, current := b.pods[p.UID], b.births[p.UID]
	if p.Mirror {
		p = s.ofMirror(current.withoutBefore(p))
	}
	if s == nil {
		s = newSeen(p, at)
		s.epoch = b.epoch(at)
		b.pods[p.UID] = s
	}
	delete(b.departed, p.UID) // it is back
	wasOver := s.outcome != 0 && s.pod.over()
	s.learn(p, at)
	switch {
	case p.Ready && s.ready == 0:
		b.setReady(s, at)
		s.outcome = at // also of a birth that had failed before
	case !p.Ready && !p.over():
		s.ready = 0 // it fell: what counts is when it gets up
	}
	_, _, failing := p.failing()
	if s.outcome == 0 && failing || p.over() && !wasOver {
		s.outcome = at // also of one that was Ready or had failed before
	}
	switch {
	case current == nil:
	case p.OptedOut:
		delete(b.births, p.UID)
	case b.isAnew(current, &p, at):
		s.born = true
		delete(b.births, p.UID)
	default:
		b.leaveOutEphemeral(current, s, false)
	}
}

// Gone takes that a pod no longer exists. Of a static pod that is being born only its
// mirror is known not to.
func (b *Book) Gone(uid string, at uint64) {
	s := b.pods[uid]
	if s == nil {
		return
	}
	if b.births[uid] == nil {
		// Its cgroup may have been made and not been heard of yet.
		b.departed[uid] = at
	} else if s.pod.Mirror {
		s.mirrorless = at
		return
	}
	s.end(at)
}

// end takes that the pod itself is no more.
func (s *seen) end(at uint64) {
	if s.outcome == 0 || !s.pod.over() {
		s.outcome = at
	}
	s.pod.Deleted = true
	if s.deleted == 0 {
		s.deleted = at
	}
}

// Pod is what the API server last said of a pod.
func (b *Book) Pod(uid string) (Pod, bool) {
	if s := b.pods[uid]; s != nil {
		return s.pod, true
	}
	return Pod{}, false
}
