// SPDX-License-Identifier: Apache-2.0

package birth

import "github.com/kernel-gossip/kernel-gossip/internal/event"

// What is known of a static pod's end, and of its state, comes from the kernel first:
// its mirror at the API server is told late, may be deleted and made anew by whoever
// likes, and may stay for a while after the pod.

// ofMirror is what a mirror says of its pod. Its deletion says nothing, and nor does one
// that was just made: what the one before said is not undone by it.
func (s *seen) ofMirror(p Pod) Pod {
	p.Deleted = false // that of the mirror was asked for
	if s == nil || s.pod.over() || !p.isBlank() {
		return p
	}
	known := s.pod
	known.OptedOut = p.OptedOut
	return known
}

// isBlank is true for a pod of which the kubelet has told nothing yet.
func (p *Pod) isBlank() bool {
	for _, c := range p.Containers {
		if c.ID != "" || c.WaitingReason != "" || c.Running || c.Ended != nil || c.Restarts > 0 {
			return false
		}
	}
	return !p.Ready && (p.Phase == "" || p.Phase == "Pending")
}

// endStatic takes that a static pod has ended once its cgroup has: its file was removed,
// or has another content. Its mirror may have gone by then or not. If it has not, it has a
// moment to tell that the pod has ended by itself.
func (c *birth) endStatic(s *seen, now uint64) {
	if c.gone == 0 || s.pod.Deleted || s.mirrorless == 0 && (s.pod.over() || now < c.gone+heardLateBy) {
		return
	}
	if s.deleted = c.sandboxEnd(); s.deleted == 0 {
		s.deleted = c.gone
	}
	s.end(max(s.mirrorless, c.gone))
	s.mirrorless = 0
}

// mayEnd is true for a moment after the sandbox of a static pod has ended: with the pod,
// or to be made anew.
func (c *birth) mayEnd(now uint64) bool {
	if c.gone != 0 {
		return true
	}
	end := c.sandboxEnd()
	return end != 0 && now < end+explainedAfter
}

// sandboxEnd is when the latest sandbox's own process ended; 0 if it has not, or none was
// heard.
func (c *birth) sandboxEnd() uint64 {
	own, end := map[uint64]uint32{}, uint64(0)
	for _, e := range c.events {
		switch {
		case !e.Who.Sandbox || !e.Workload:
		case e.Kind == event.Exec && own[e.Session] == 0:
			own[e.Session], end = e.PID, 0
		case e.Kind == event.Exit && own[e.Session] == e.PID:
			end = e.Time
		}
	}
	return end
}
