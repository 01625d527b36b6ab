// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// A birth that fails is told while it goes on failing: the kubelet tries again,
// and may succeed.
const (
	// retellAfter bounds how often a failing birth is told: a crash loop has one
	// attempt after the other at first.
	retellAfter = uint64(5 * time.Second)
	// slowAfter is when a birth without an outcome is told as it stands.
	slowAfter = uint64(30 * time.Second)
	// restAfter is the quiet after which a failing birth is taken to wait for its
	// next attempt.
	restAfter = uint64(3 * time.Second)
)

// told is what has been told of a birth that goes on.
type told struct {
	at       uint64
	attempts int32
	slow     bool
	failing  bool
	warned   bool
	lastWord lastWord
}

// resting is true while a birth that has failed waits for its next attempt.
func (c *birth) resting(now uint64) bool {
	return c.told.at != 0 && now-c.last > restAfter
}

// Telling are the births that go on and have something new to tell: an attempt
// that failed, a warning of the kubelet, or that they take long.
func (b *Book) Telling(now uint64) []string {
	var all []string
	for uid, current := range b.births {
		if s := b.pods[uid]; s != nil && b.tells(current, s, now) {
			all = append(all, uid)
		}
	}
	return all
}

func (b *Book) tells(current *birth, s *seen, now uint64) bool {
	if s.ready != 0 && !b.fell(current, s) {
		return false // its end is near, and tells all
	}
	if b.isDue(current, s, now) || s.pod.over() || b.mayMeanMore(current, s, now) || now < current.last+uint64(b.config.Settle) {
		return false
	}
	if n := failedAttempts(current, s); n > current.told.attempts {
		if current.told.at == 0 {
			return !b.awaitsWord(current, s, now)
		}
		return now-current.told.at >= retellAfter
	}
	if _, _, warned := s.hindrance(b.config.Wall(current.last)); warned && !current.told.warned {
		return true
	}
	if _, _, failing := s.pod.failing(); failing && !current.told.failing { // it may have been told as slow before
		return now >= s.outcome+uint64(b.config.Settle)
	}
	return !current.told.slow && now-current.began > slowAfter
}

// mayMeanMore is true for a moment after something has ended of which somebody else has
// still to say what that was.
func (b *Book) mayMeanMore(current *birth, s *seen, now uint64) bool {
	return s.pod.Mirror && current.mayEnd(now) || b.awaitsKiller(current, s, now)
}

// Interim writes the certificate of a birth that goes on: not complete, and to be
// written again.
func (b *Book) Interim(uid string, c Closing) (*v1alpha1.PodBirthCertificate, bool) {
	current, s := b.births[uid], b.pods[uid]
	if current == nil || s == nil {
		return nil, false
	}
	_, _, warned := s.hindrance(b.config.Wall(current.last))
	current.told = told{
		at: c.Now, attempts: failedAttempts(current, s), slow: c.Now-current.began > slowAfter,
		warned: warned || current.told.warned, lastWord: current.told.lastWord,
	}
	_, _, current.told.failing = s.pod.failing()
	return b.write(current, c, false)
}

// fell is true for a pod that was called Ready and whose container had ended by
// then, or ends before the birth has come to rest: for the runtime a program
// that crashes at once was started.
func (b *Book) fell(current *birth, s *seen) bool {
	if _, _, failing := s.pod.failing(); failing {
		return true
	}
	for name, a := range attemptsOf(current.events, s) {
		if c, ok := s.pod.container(name); ok && !c.Init && a.last.failed {
			return true
		}
	}
	return false
}

// container finds a container by its name.
func (p *Pod) container(name string) (Container, bool) {
	for _, c := range p.Containers {
		if c.Name == name {
			return c, true
		}
	}
	return Container{}, false
}

// explainedAfter is how long after an attempt failed the API server's word on it
// is waited for: the kubelet looks at its containers once a second.
const explainedAfter = uint64(5 * time.Second)

// awaitsWord is true for a moment after an attempt has failed of which nobody has
// said what it was: why a sandbox failed the kubelet says in an event, how a
// container ended in the pod's status.
func (b *Book) awaitsWord(current *birth, s *seen, now uint64) bool {
	if _, _, failing := s.pod.failing(); failing {
		return false
	}
	for name, a := range attemptsOf(current.events, s) {
		if a.failed == 0 || now > a.failedAt+explainedAfter {
			continue
		}
		if name == v1alpha1.SandboxContainer {
			if _, _, said := s.warning("Sandbox"); b.config.Remarks && !said {
				return true
			}
			continue
		}
		if c, ok := s.pod.container(name); !ok || c.Ended == nil && c.Restarts == 0 {
			return true
		}
	}
	return false
}
