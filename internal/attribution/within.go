// SPDX-License-Identifier: Apache-2.0

package attribution

import "github.com/kernel-gossip/kernel-gossip/internal/event"

// Who makes the containers of a node is no container of one of its pods. What a
// privileged container executes as runc, with whatever arguments and environment, is
// nobody's birth: those that Docker makes in a pod, and those who would speak for
// another pod. Two things look the same and are not. A node may itself be a container
// of a pod: its pods' cgroups lie below that container's. And a CNI plugin may have a
// daemon in a pod that executes others (Multus): it says again for which pod a sandbox
// is what a plugin on the node has said before it.

// containerOf is the path of the container's cgroup that a cgroup is or lies in, empty
// if it is in none.
func (l *Ledger) containerOf(cgroup uint64) string {
	entry, ok := l.dictionary.Lookup(cgroup)
	if !ok {
		return ""
	}
	return entry.ContainerPath()
}

// mayBelieve is true for a session that may be of a birth by where it was opened.
func (l *Ledger) mayBelieve(s *session, cni *event.CNI) bool {
	if s.within == "" || l.dictionary.PodBelow(s.within, "") {
		return true
	}
	if s.role != event.RoleCNI {
		return false
	}
	c := l.containers[s.containerID]
	return c != nil && c.pod != "" && c.pod == cniPod(cni.Args).UID
}

// believes is true if a session may be of that pod.
func (l *Ledger) believes(s *session, pod string) bool {
	return s.within == "" || s.role == event.RoleCNI && !l.dictionary.PodBelow(s.within, "") || l.dictionary.PodBelow(s.within, pod)
}
