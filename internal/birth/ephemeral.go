// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"slices"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// An ephemeral container, which somebody adds to look into a pod, is no part of
// its birth. The kernel tells of it before the API server says which it is.

// isEphemeral is true for the id of an ephemeral container.
func (p *Pod) isEphemeral(id string) bool { return id != "" && slices.Contains(p.Ephemeral, id) }

// leaveOut drops what was heard of ephemeral containers. Their sessions are
// forgotten with their next event.
func (c *birth) leaveOut(ephemeral func(containerID string) bool) {
	c.events = slices.DeleteFunc(c.events, func(a attribution.Attributed) bool {
		if a.Who.Sandbox || !ephemeral(a.Who.ContainerID) {
			return false
		}
		if a.Who.Role == event.RoleRuntime {
			delete(c.sessions, a.Session)
		}
		return true
	})
}

// leaveOutEphemeral drops what was heard of ephemeral containers, at the end of
// a birth also of one that the API server has not told the id of yet: it is then
// the one that bears no name.
func (b *Book) leaveOutEphemeral(current *birth, s *seen, final bool) {
	if len(s.pod.Ephemeral) == 0 {
		return
	}
	unnamed := final && slices.Contains(s.pod.Ephemeral, "")
	current.leaveOut(func(id string) bool {
		return s.pod.isEphemeral(id) || unnamed && id != "" && s.names[id] == ""
	})
}
