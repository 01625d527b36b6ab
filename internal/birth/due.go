// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// A pod without a probe is Ready as soon as its containers were started, which
// on a busy machine is long before they have come to rest. Its birth stays open
// until its workload has made no system call for restFor, but no longer than
// restMax: some workloads never rest.
const (
	restFor = uint64(300 * time.Millisecond)
	restMax = uint64(1500 * time.Millisecond)
)

// goneFor is how long a birth whose cgroup was removed waits for the API server
// to name its pod.
const goneFor = time.Minute

// Due are the births that have come to their end, by pod UID.
func (b *Book) Due(now uint64) []string {
	b.forgetDeparted(now)
	var due []string
	for uid, current := range b.births {
		if b.isDue(current, b.pods[uid], now) {
			due = append(due, uid)
		}
	}
	return due
}

// forgetDeparted forgets the pods that went without a birth, once an event of
// theirs would have been heard.
func (b *Book) forgetDeparted(now uint64) {
	for uid, at := range b.departed {
		switch {
		case b.births[uid] != nil:
			delete(b.departed, uid)
		case now-at > heardLateBy:
			delete(b.departed, uid)
			b.forgetPod(uid)
		}
	}
}

func (b *Book) isDue(current *birth, s *seen, now uint64) bool {
	if s != nil && s.pod.Mirror {
		current.endStatic(s, now)
	}
	if s != nil && s.outcome != 0 {
		if s.pod.over() {
			return now >= s.outcome+uint64(b.config.Settle) && !b.waitsForLastWord(current, s, now) && !b.awaitsKiller(current, s, now)
		}
		if s.ready != 0 && !b.fell(current, s) {
			return true // once it has come to rest, see Resting
		}
	}
	if now-current.began > uint64(b.config.Timeout) {
		return true
	}
	if current.gone != 0 {
		// The API server may still tell whose it was.
		return b.config.WithoutAPI || now-current.gone > uint64(goneFor)
	}
	return b.config.WithoutAPI && current.hasWorkload() && now-current.last > uint64(b.config.Quiet)
}

// Resting takes how many system calls the workload of a birth that is due has
// made by now. It is false while a pod that is Ready is still starting up: its
// workload makes system calls, or would if it had a CPU or what it reads.
func (b *Book) Resting(uid string, syscalls, now uint64) bool {
	current, s := b.births[uid], b.pods[uid]
	if current == nil || s == nil || s.ready == 0 || s.pod.over() {
		return true
	}
	if current.busy == 0 || syscalls != current.syscalls || b.tracks.wantsOn(current.sessions) {
		current.syscalls, current.busy = syscalls, now
	}
	settled := s.outcome + uint64(b.config.Settle)
	return now >= settled && (now-current.busy >= restFor || now >= settled+restMax)
}

func (c *birth) hasWorkload() bool {
	for _, e := range c.events {
		if e.Kind == event.Exec && e.Workload && !e.Who.Sandbox {
			return true
		}
	}
	return false
}
