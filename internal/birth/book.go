// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// Config of a Book.
type Config struct {
	NodeName string
	// WithoutAPI is set where no API server tells of pods: a birth then ends
	// when its workload has been quiet.
	WithoutAPI bool
	// Remarks is set where the kubelet's events can be asked for.
	Remarks bool
	// Settle is how long a birth stays open after its outcome was seen, so that
	// what is still in the event ring arrives.
	Settle time.Duration
	// Quiet is how long nothing must be heard of a birth for it to end without
	// an API server.
	Quiet time.Duration
	// Timeout ends a birth that never gets Ready.
	Timeout time.Duration
	// Wall turns the clock of events (monotonic, ns) into wall time.
	Wall func(monotonic uint64) time.Time
	// SyscallName names a system call by its number.
	SyscallName func(nr int) string
	// Plan is how the kernel is heard now; nil: as well as any.
	Plan func() hooks.Plan
}

// birth is one birth under way.
type birth struct {
	uid      string
	began    uint64    // the pod's cgroup
	epoch    time.Time // what the wall clock was at zero of the clock of events then
	last     uint64    // the latest event
	events   []attribution.Attributed
	cut      int
	sessions map[uint64]bool
	mark     attribution.Mark // where the stream of events was when it began
	lost     event.Loss       // what had been lost when it began
	gone     uint64           // when the pod's cgroup was removed
	syscalls uint64           // of the workload, when last looked at
	busy     uint64           // when they were last seen to have grown
	told     told
	midst    bool // its beginning was not heard
	// before is what was before it, of a pod that is born again, and nth which birth it is.
	before *life
	nth    int
}

// Book holds the births that are under way on a node. It is not safe for
// concurrent use.
type Book struct {
	config Config
	births map[string]*birth
	pods   map[string]*seen
	// departed are pods that went without a birth, and when.
	departed map[string]uint64
	// certified are static pods whose birth was told, and all pods of which an earlier
	// run has told.
	certified map[string]*life
	tracks    *tracks
	// kept is how many events are kept of all births, or were since they were counted.
	kept int
	late map[string]*late
}

// NewBook makes an empty book.
func NewBook(c Config) *Book {
	return &Book{
		config: c, births: map[string]*birth{}, pods: map[string]*seen{}, departed: map[string]uint64{}, certified: map[string]*life{},
		tracks: newTracks(), late: map[string]*late{},
	}
}

// Open is how many births are under way.
func (b *Book) Open() int { return len(b.births) }

// Follows is true while the birth of the pod is under way.
func (b *Book) Follows(uid string) bool { return b.births[uid] != nil }

// Expecting is true while a birth is under way or a pod is known that has not
// started yet: system calls should be heard. Not while all that are under way
// have failed and rest before the next attempt, or are not told to be of this node.
func (b *Book) Expecting(now uint64) bool {
	for uid, current := range b.births {
		if !current.resting(now) && !b.isForeign(uid, current, now) {
			return true
		}
	}
	for uid, s := range b.pods {
		if b.births[uid] != nil {
			continue
		}
		if !s.pod.OptedOut && !s.pod.started() && s.outcome == 0 && now-s.first < uint64(b.config.Timeout) {
			return true
		}
	}
	return false
}

// started is true once any container was made.
func (p *Pod) started() bool {
	if p.Phase != "Pending" {
		return true
	}
	for _, c := range p.Containers {
		if c.ID != "" {
			return true
		}
	}
	return false
}

// CgroupGone takes that a pod's cgroup was removed: whatever the API server
// says or fails to say, nothing more will be heard of that birth. Should the cgroup of a
// static pod be made once more, the pod is born again.
func (b *Book) CgroupGone(uid string, at uint64) {
	if current := b.births[uid]; current != nil {
		current.gone = at
		return
	}
	b.endLife(uid)
}

// Totals are where the node's stream of events is, and what was lost of it.
type Totals struct {
	Mark attribution.Mark
	Lost event.Loss
}

// Hear takes an event. It is false if the event is of no birth under way: a
// restart, or a pod older than the observer. totals gives the running totals at
// a time (of the clock of events).
func (b *Book) Hear(a attribution.Attributed, totals func(at uint64) Totals) bool {
	uid := a.Who.PodUID
	current := b.births[uid]
	if current == nil {
		if current = b.begin(a, totals); current == nil {
			return false
		}
	}
	if s := b.pods[uid]; s != nil && s.pod.isEphemeral(a.Who.ContainerID) {
		return false
	}
	current.heardBegin(a)
	if a.Session != 0 {
		current.sessions[a.Session] = true
	}
	current.last = max(current.last, a.Time)
	if !b.hasRoom(current) {
		current.cut++
		return true
	}
	current.events = append(current.events, a)
	return true
}

// begin begins a birth with the pod's cgroup; nil if the event is another, or makes none.
func (b *Book) begin(a attribution.Attributed, totals func(at uint64) Totals) *birth {
	if a.Kind != event.CgroupMkdir || a.Who.ContainerID != "" {
		return nil
	}
	uid, s := a.Who.PodUID, b.pods[a.Who.PodUID]
	l := b.certified[uid]
	again := l != nil && l.over
	if l != nil && !again || s != nil && (s.pod.OptedOut || s.born && !again) {
		return nil
	}
	current := &birth{uid: uid, began: a.Time, epoch: b.epoch(a.Time), sessions: map[uint64]bool{}}
	if !again && s != nil && b.isAnew(current, &s.pod, a.Time) {
		s.born = true
		return nil
	}
	at := totals(a.Time)
	current.mark, current.lost = at.Mark, at.Lost
	b.births[uid] = current
	if again {
		b.bearAgain(current, l)
	}
	return current
}

// Stretch takes that a thread of a session has left its CPU.
func (b *Book) Stretch(e event.Event) { b.tracks.add(e) }

// Forget drops what is kept of a session that is over, or of no birth.
func (b *Book) Forget(session uint64) {
	if !b.isLate(session) {
		b.tracks.forget(session)
	}
}
