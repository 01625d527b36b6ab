// SPDX-License-Identifier: Apache-2.0

package birth

import "time"

// A pod whose node was started again gets its cgroup and its containers anew, under
// its UID. That is a restart and no birth.

// startedBefore is by how much a container must have been started before its pod's
// cgroup was made for it to be another cgroup: the API server's times are whole seconds.
const startedBefore = 3 * time.Second

// isAnew is true for what looks like a birth, and is of a pod that had containers
// before. Where the wall clock was set since it began nobody can tell.
func (b *Book) isAnew(current *birth, p *Pod, now uint64) bool {
	if current.midst || p.FirstStarted.IsZero() || stepped(current.epoch, b.epoch(now)) {
		return false
	}
	return p.FirstStarted.Add(startedBefore).Before(current.epoch.Add(time.Duration(current.began)))
}
