// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// BeginLate begins a birth that is under way already: the pod's cgroup is there, and
// its making was not heard, because the observer was started later or because the
// event was lost. It is false where there is no birth to follow: the API server has
// not told of the pod, or when it did the pod may have been born before, or it is not
// as young as births are, or has a certificate: what that tells is more than what is
// heard from here on.
func (b *Book) BeginLate(uid string, at uint64, now Totals) bool {
	s := b.pods[uid]
	if s == nil || b.certified[uid] != nil || b.births[uid] != nil || !b.mayBeUnderWay(s, at) {
		return false
	}
	b.births[uid] = &birth{
		uid: uid, began: at, last: at, midst: true, sessions: map[uint64]bool{}, mark: now.Mark, lost: now.Lost,
	}
	return true
}

// mayBeUnderWay is true for a pod that has never been Ready, as far as can be known
// of what was not heard: one that runs and is not Ready may have been so before. One
// that was told before any of its containers ran is being born, or was since then: how
// that came out the API server has said, and only what the kernel tells is missing.
func (b *Book) mayBeUnderWay(s *seen, at uint64) bool {
	_, _, failing := s.pod.failing()
	if s.born || s.pod.Deleted || s.pod.OptedOut || s.pod.restarts() > 0 || b.config.Wall(at).Sub(s.pod.Created) >= b.config.Timeout {
		return false
	}
	return s.toldUnborn() || s.outcome == 0 && !failing && !s.pod.over()
}

// toldUnborn is true for a pod that had no outcome, and no container that was started,
// when it was first told.
func (s *seen) toldUnborn() bool {
	for _, t := range s.started {
		if t <= s.first {
			return false
		}
	}
	return s.first != 0 && (s.outcome == 0 || s.outcome > s.first) && (s.ready == 0 || s.ready > s.first)
}

// Awaits is true while a pod is told that is being born, and nothing was heard of its
// birth.
func (b *Book) Awaits(now uint64) bool {
	for uid, s := range b.pods {
		if b.births[uid] == nil && s.outcome == 0 && b.mayBeUnderWay(s, now) {
			return true
		}
	}
	return false
}

// heardBegin takes that the making of the pod's cgroup was heard after all: it had
// been on its way.
func (c *birth) heardBegin(a attribution.Attributed) {
	if c.midst && a.Kind == event.CgroupMkdir && a.Who.ContainerID == "" {
		c.midst, c.began = false, a.Time
	}
}

// scheduled is when the binding of the pod to its node was heard, 0 if it was not:
// whoever comes later is told of the pod as it is by then.
func (w *writer) scheduled() uint64 {
	if w.birth.midst {
		return 0
	}
	return w.seen.first
}

// missBegin says of a birth that was under way that its beginning is not here.
func (w *writer) missBegin() {
	s := w.seen
	switch {
	case !w.birth.midst:
	case s.ready != 0 && s.ready <= w.birth.began, s.pod.over() && s.outcome <= w.birth.began:
		w.miss("what the kernel tells: the birth was over when its cgroup was found")
	default:
		w.miss("what came before %s: the birth was under way when its node began to be heard", w.config.Wall(w.birth.began).UTC().Format(time.TimeOnly))
	}
}
