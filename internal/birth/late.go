// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"maps"
	"slices"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// The kubelet's events may come seconds after the pod's state: it sends them at
// a bounded rate. A certificate does not wait for them. It is written without,
// not complete, and once more when they are there.
const (
	lateAskEvery = uint64(time.Second)
	// lateMax is how long events are waited for.
	lateMax = uint64(30 * time.Second)
)

// late is a birth that has ended but for what the kubelet says of its images.
type late struct {
	birth   *birth
	seen    *seen // as it was at the end
	closing Closing
	asked   uint64
	// again is true once the pod is being born again: it is no longer waited for.
	again bool
}

// keepLate keeps a birth whose certificate has just been written without its images.
func (b *Book) keepLate(current *birth, s *seen, c Closing) {
	kept := *s
	kept.names, kept.started, kept.readyAt = maps.Clone(s.names), maps.Clone(s.started), maps.Clone(s.readyAt)
	kept.setbacks, kept.hookErrors = maps.Clone(s.setbacks), maps.Clone(s.hookErrors)
	b.late[current.uid] = &late{birth: current, seen: &kept, closing: c, asked: c.Now}
}

// lacksImages is true for a birth of which events of images may still come.
func (b *Book) lacksImages(s *seen) bool {
	return b.config.Remarks && s != nil && s.pod.Name != "" && !s.pod.Deleted && !s.imagesTold()
}

// Late are the births whose certificate is to be written again, for the last
// time: the kubelet has said where their images came from, or will not.
func (b *Book) Late(now uint64) []string {
	var all []string
	for uid, l := range b.late {
		if l.again || l.seen.imagesTold() || now-l.closing.Now > lateMax {
			all = append(all, uid)
		}
	}
	slices.Sort(all)
	return all
}

// Finish ends such a birth and returns its certificate.
func (b *Book) Finish(uid string) (*v1alpha1.PodBirthCertificate, bool) {
	l := b.late[uid]
	if l == nil {
		return nil, false
	}
	w := b.writer(l.birth, l.seen, l.closing)
	w.final = true
	certificate := w.write()
	delete(b.late, uid)
	for id := range l.birth.sessions {
		b.tracks.forget(id)
	}
	return certificate, true
}

// isLate is true for a session of a birth that is kept.
func (b *Book) isLate(session uint64) bool {
	for _, l := range b.late {
		if l.birth.sessions[session] {
			return true
		}
	}
	return false
}

// askingLate are the pods of such births whose events are wanted now.
func (b *Book) askingLate(now uint64) []Pod {
	var all []Pod
	for _, l := range b.late {
		if now-l.asked >= lateAskEvery {
			l.asked = now
			all = append(all, l.seen.pod)
		}
	}
	return all
}
