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
// not told of the pod, it has an outcome, or it is not as young as births are.
func (b *Book) BeginLate(uid string, at uint64, now Totals) bool {
	s := b.pods[uid]
	if s == nil || b.births[uid] != nil || !b.mayBeUnderWay(s, at) {
		return false
	}
	b.births[uid] = &birth{
		uid: uid, began: at, last: at, midst: true, sessions: map[uint64]bool{}, mark: now.Mark, lost: now.Lost,
	}
	return true
}

// mayBeUnderWay is true for a pod that has never been Ready, as far as can be known
// of what was not heard: one that runs and is not Ready may have been so before.
func (b *Book) mayBeUnderWay(s *seen, at uint64) bool {
	_, _, failing := s.pod.failing()
	if s.outcome != 0 || failing || s.pod.over() || s.pod.OptedOut || s.pod.restarts() > 0 {
		return false
	}
	return b.config.Wall(at).Sub(s.pod.Created) < b.config.Timeout
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
	if w.birth.midst {
		w.miss("what came before %s: the birth was under way when its node began to be heard", w.config.Wall(w.birth.began).UTC().Format(time.TimeOnly))
	}
}
