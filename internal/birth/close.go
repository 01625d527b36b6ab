// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Sessions of a birth, whose counters Close wants.
func (b *Book) Sessions(uid string) []uint64 {
	var ids []uint64
	if current := b.births[uid]; current != nil {
		for id := range current.sessions {
			ids = append(ids, id)
		}
	}
	return ids
}

// Closing is what Close needs to know beside the events.
type Closing struct {
	// Now is when the counters were read.
	Now uint64
	// Unread is since when what happened was not read, for want of time; 0: all was.
	Unread uint64
	Counts map[uint64]event.SessionCounts
	// Window is what was heard since the birth's Mark, Lost what has been lost.
	Window attribution.Window
	Lost   event.Loss
	// Deaf are the times in which system calls were not heard, in order; one that
	// lasts ends at Now.
	Deaf []Span
	// Name is what the CNI plugins were told that the pod is called.
	Name attribution.PodName
}

// Span is a stretch of time, in the clock of events.
type Span struct{ From, To uint64 }

// Mark is where the stream of events was when a birth began.
func (b *Book) Mark(uid string) attribution.Mark {
	if current := b.births[uid]; current != nil {
		return current.mark
	}
	return attribution.Mark{}
}

// Close ends a birth and returns its certificate, without status. A pod that the
// API server does not tell, or where there is none a CNI plugin, gets none: a
// certificate must say whose it is.
func (b *Book) Close(uid string, c Closing) (*v1alpha1.PodBirthCertificate, bool) {
	current := b.births[uid]
	if current == nil {
		return nil, false
	}
	s := b.pods[uid]
	certificate, ok := b.write(current, c, true)
	delete(b.births, uid)
	if s != nil {
		s.born = true
	}
	if ok && s != nil && s.pod.Mirror {
		b.certify(current)
	}
	if current.gone != 0 {
		b.endLife(uid)
	}
	if ok && b.lacksImages(s) {
		b.keepLate(current, s, c)
	}
	for id := range current.sessions {
		b.Forget(id)
	}
	switch {
	case s == nil:
	case s.pod.Deleted:
		b.forgetPod(uid)
	case s.mirrorless != 0:
		b.departed[uid] = c.Now
	}
	return certificate, ok
}

func (b *Book) write(current *birth, c Closing, final bool) (*v1alpha1.PodBirthCertificate, bool) {
	s := b.pods[current.uid]
	if s == nil && !b.config.WithoutAPI {
		return nil, false // its pod may be another cluster's, or another node's of this machine
	}
	if s == nil {
		s = newSeen(Pod{UID: current.uid, Namespace: c.Name.Namespace, Name: c.Name.Name}, 0)
	}
	if s.pod.Name == "" {
		return nil, false
	}
	b.leaveOutEphemeral(current, s, final)
	s.nameTheOnly(current)
	w := b.writer(current, s, c)
	w.final, w.imagesMayCome = final, b.lacksImages(s)
	return w.write(), true
}

func (b *Book) writer(current *birth, s *seen, c Closing) *writer {
	return &writer{
		config: b.config, birth: current, seen: s, closing: c, tracks: b.tracks,
		waits: waitNames{b.config.SyscallName},
	}
}
