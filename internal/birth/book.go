// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
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
}

// seen is what is known of a pod from the API server.
type seen struct {
	pod Pod
	// first is when the pod was first told, ready when it was first told Ready,
	// outcome when it was told so, to be over, or first to be failing, whichever was
	// last, and deleted when its deletion was first told.
	first, ready, outcome, deleted uint64
	// readyClock is what ready was taken by.
	readyClock v1alpha1.Clock
	// epoch is what the wall clock was at zero of the clock of events, by the time
	// that the pod was first told.
	epoch time.Time
	// names are all containers that the pod has had, by id: a restart has a new one.
	names map[string]string
	// started and readyAt are when containers were first told so, by name.
	started, readyAt map[string]uint64
	// setbacks of its containers, as their statuses showed them.
	setbacks map[setbackKey]setback
	// remarks are what the kubelet said, and asked when it was last asked for.
	remarks []Remark
	asked   uint64
	answers int
	// born is true once its birth has ended.
	born bool
}

func newSeen(p Pod, first uint64) *seen {
	return &seen{pod: p, first: first, names: map[string]string{}, started: map[string]uint64{}, readyAt: map[string]uint64{}}
}

// learn takes what the pod's state says of its containers.
func (s *seen) learn(p Pod, at uint64) {
	s.noteSetbacks(&p, at)
	s.pod = p
	switch {
	case !p.Deleted:
		s.deleted = 0 // also of a static pod whose mirror was deleted and made again
	case s.deleted == 0:
		s.deleted = at
	}
	note := func(moments map[string]uint64, name string, holds bool) {
		if _, known := moments[name]; holds && !known {
			moments[name] = at
		}
	}
	for _, c := range p.Containers {
		if c.ID != "" {
			s.names[c.ID] = c.Name
		}
		note(s.started, c.Name, c.Started)
		note(s.readyAt, c.Name, c.Ready)
	}
}

// lateAfter is the delay over which a delivery says less about the time of
// Ready than the whole seconds of the condition itself.
const lateAfter = 3 * time.Second

func (b *Book) setReady(s *seen, at uint64) {
	s.ready, s.readyClock = at, v1alpha1.ClockWatch
	since := s.pod.ReadySince
	if since.IsZero() || stepped(s.epoch, b.epoch(at)) {
		return
	}
	if late := b.config.Wall(at).Sub(since); late > lateAfter && uint64(late) < at {
		s.ready, s.readyClock = at-uint64(late), v1alpha1.ClockAPI
	}
}

// Book holds the births that are under way on a node. It is not safe for
// concurrent use.
type Book struct {
	config Config
	births map[string]*birth
	pods   map[string]*seen
	// departed are pods that went without a birth, and when.
	departed map[string]uint64
	tracks   *tracks
	// kept is how many events are kept of all births, or were since they were counted.
	kept int
	late map[string]*late
}

// NewBook makes an empty book.
func NewBook(c Config) *Book {
	return &Book{config: c, births: map[string]*birth{}, pods: map[string]*seen{}, departed: map[string]uint64{}, tracks: newTracks(), late: map[string]*late{}}
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

// Tell takes the state of a pod, as delivered at the given time. It may end a birth
// that is none.
func (b *Book) Tell(p Pod, at uint64) {
	s := b.pods[p.UID]
	if s == nil {
		s = newSeen(p, at)
		s.epoch = b.epoch(at)
		b.pods[p.UID] = s
	}
	delete(b.departed, p.UID) // it is back
	wasOver := s.outcome != 0 && s.pod.over()
	s.learn(p, at)
	switch {
	case p.Ready && s.ready == 0:
		b.setReady(s, at)
		s.outcome = at // also of a birth that had failed before
	case !p.Ready && !p.over():
		s.ready = 0 // it fell: what counts is when it gets up
	}
	_, _, failing := p.failing()
	if s.outcome == 0 && failing || p.over() && !wasOver {
		s.outcome = at // also of one that was Ready or had failed before
	}
	current := b.births[p.UID]
	switch {
	case current == nil:
	case p.OptedOut:
		delete(b.births, p.UID)
	case b.isAnew(current, &p, at):
		s.born = true
		delete(b.births, p.UID)
	default:
		b.leaveOutEphemeral(current, s, false)
	}
}

// Gone takes that a pod no longer exists.
func (b *Book) Gone(uid string, at uint64) {
	s := b.pods[uid]
	if s == nil {
		return
	}
	if b.births[uid] == nil {
		// Its cgroup may have been made and not been heard of yet.
		b.departed[uid] = at
	}
	if s.outcome == 0 || !s.pod.over() {
		s.outcome = at
	}
	s.pod.Deleted = true
	if s.deleted == 0 {
		s.deleted = at
	}
}

// Pod is what the API server last said of a pod.
func (b *Book) Pod(uid string) (Pod, bool) {
	if s := b.pods[uid]; s != nil {
		return s.pod, true
	}
	return Pod{}, false
}

// CgroupGone takes that a pod's cgroup was removed: whatever the API server
// says or fails to say, nothing more will be heard of that birth.
func (b *Book) CgroupGone(uid string, at uint64) {
	if current := b.births[uid]; current != nil {
		current.gone = at
	}
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
	if s != nil && (s.pod.OptedOut || s.born) {
		return nil
	}
	current := &birth{uid: uid, began: a.Time, epoch: b.epoch(a.Time), sessions: map[uint64]bool{}}
	if s != nil && b.isAnew(current, &s.pod, a.Time) {
		s.born = true
		return nil
	}
	at := totals(a.Time)
	current.mark, current.lost = at.Mark, at.Lost
	b.births[uid] = current
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
			delete(b.pods, uid)
		}
	}
}

func (b *Book) isDue(current *birth, s *seen, now uint64) bool {
	if s != nil && s.outcome != 0 {
		if s.pod.over() {
			return now >= s.outcome+uint64(b.config.Settle) && !b.waitsForLastWord(current, s, now)
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
	if ok && b.lacksImages(s) {
		b.keepLate(current, s, c)
	}
	for id := range current.sessions {
		b.Forget(id)
	}
	if s != nil && s.pod.Deleted {
		delete(b.pods, uid)
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
