// SPDX-License-Identifier: Apache-2.0

package birth

// nameTheOnly names the one container that was heard of a pod that has just one.
// The API server tells a container's id some time after it was made, and never
// does where the pod is deleted before; there is no other that it could be.
func (s *seen) nameTheOnly(c *birth) {
	if len(s.pod.Containers) != 1 || len(s.pod.Ephemeral) > 0 || len(s.names) > 0 {
		return
	}
	only := ""
	for _, e := range c.events {
		id := e.Who.ContainerID
		switch {
		case id == "" || e.Who.Sandbox || id == only:
		case only == "":
			only = id
		default:
			return // an attempt before, or a sandbox that nobody told of
		}
	}
	if only != "" {
		s.names[only] = s.pod.Containers[0].Name
	}
}
