// SPDX-License-Identifier: Apache-2.0

// Package observer is the path from the kernel to the sinks: it feeds events to
// attribution, what is attributed to the births, samples to the throttling
// detector, and what comes out to the sinks.
package observer

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
	"github.com/kernel-gossip/kernel-gossip/internal/cost"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Kernel is what the engine asks of the kernel's side.
type Kernel interface {
	// Walk tells every cgroup. It fails with event.ErrIncomplete where it told some of
	// them, and with event.ErrUnread where it never tells any.
	Walk(visit func(id, pointer uint64, path string)) error
	// ReadGroup fails with event.ErrGone where there is nothing to read (any more), and
	// with event.ErrUnread where nobody reads.
	ReadGroup(id, pointer uint64) (event.Group, error)
	Counts(session uint64) (event.SessionCounts, error)
	Forget(session uint64) error
	// Sessions are those that the kernel counts for, and when they were opened
	// (the clock of events, ns).
	Sessions() (map[uint64]uint64, error)
	// Arm hears system calls from the time that it returns (the clock of events, ns).
	Arm() (uint64, error)
	Disarm() error
	Lost() (event.Loss, error)
}

// Sink takes what was found. It must not block: the engine stands still while
// it is in a sink.
type Sink interface {
	Certificate(*v1alpha1.PodBirthCertificate)
	Whisper(*v1alpha1.KernelWhisper)
}

// Config of an Engine.
type Config struct {
	Birth birth.Config
	CPU   cpu.Config
	// DisarmAfter is how long system calls are still heard after the last birth.
	DisarmAfter time.Duration
	// WeightsV2: the cpu controller is in cgroup v2, whose weights are others.
	WeightsV2 bool
}

// Stats are an engine's running totals.
type Stats struct {
	Births         map[v1alpha1.Outcome]uint64
	BirthsNameless uint64
	Whispers       uint64
	Events         map[event.Kind]uint64
	Attribution    attribution.Stats
	Loss           event.Loss
	BirthsOpen     int
	EpisodesOpen   int
	Cgroups        int
	Armed          bool
	KernelErrors   uint64
	// Samples of containers that have a limit.
	Samples uint64
	CPU     cpu.Stats
	// ReplayTime that the model took for what was heard, in all.
	ReplayTime time.Duration
	// ReadingsSkipped are the rounds of reading counters that a budget left out.
	ReadingsSkipped uint64
}

// Engine is the synchronous heart of the observer. It is not safe for
// concurrent use: Run tells it one thing at a time.
type Engine struct {
	config     Config
	kernel     Kernel
	log        *slog.Logger
	sinks      []Sink
	dictionary *cgroup.Dictionary
	ledger     *attribution.Ledger
	book       *birth.Book
	watch      *cpu.Watch

	armedAt  uint64 // 0: not armed
	idleFrom uint64 // since when no birth is expected
	deaf     []birth.Span
	// ends are where the births came to rest that are not closed yet.
	ends map[string]end
	// heard is up to when all that happened has been told; 0: nobody says.
	heard uint64
	// ask asks for what the kubelet has said of a pod; nil where nobody can.
	ask func(birth.Pod)
	// leanIn listens to a container's bursts; nil where nobody can.
	leanIn func(LeanIn)
	// step is what gives way for the budget's sake.
	step cost.Step
	// cgroups of each container, as they were read in the latest round.
	cgroups map[string][]CgroupRef
	round   round
	// failures of requests to the kernel, by what they were for.
	failures map[string]failure
	loss     event.Loss
	losses   []lossReading // by time
	// lossesRead is when they were last read.
	lossesRead uint64
	// walked is how much had been lost when the cgroups were last walked, walkedAt when
	// that was, and unwalked that not all was found then.
	walked, walkedAt uint64
	unwalked         bool
	// unheard are pods whose cgroups were found and not heard of.
	unheard map[string]bool
	// earlier is true once the book knows of which pods an earlier run has told.
	earlier bool
	// held are events of theirs, until it is known whether they are being born.
	held  held
	stats Stats
}

// NewEngine makes an engine and enters the cgroups that exist. The kernel's
// programs must be attached before.
func NewEngine(c Config, k Kernel, log *slog.Logger, sinks ...Sink) (*Engine, error) {
	d := cgroup.NewDictionary()
	e := &Engine{
		config: c, kernel: k, log: log, sinks: sinks, dictionary: d,
		ledger: attribution.NewLedger(d),
		book:   birth.NewBook(c.Birth),
		deaf:   []birth.Span{{}},
		ends:   map[string]end{},

		unheard: map[string]bool{}, held: held{of: map[string][]attribution.Attributed{}},
		cgroups: map[string][]CgroupRef{}, failures: map[string]failure{},
		stats: Stats{Births: map[v1alpha1.Outcome]uint64{}, Events: map[event.Kind]uint64{}},
	}
	c.CPU.Neighbor, c.CPU.Request = e.neighbor, e.request
	e.watch = cpu.NewWatch(c.CPU)
	switch err := k.Walk(e.learn); {
	case errors.Is(err, event.ErrUnread):
	case errors.Is(err, event.ErrIncomplete):
		e.unwalked = true
		e.kernelError("walk all cgroups", err)
	case err != nil:
		return nil, fmt.Errorf("walk the cgroups: %w", err)
	}
	return e, nil
}

// Resume hands over an episode that an earlier run left open.
func (e *Engine) Resume(w *v1alpha1.KernelWhisper) { e.watch.Resume(w) }

// Abandon writes the end of the resumed episodes that did not go on.
func (e *Engine) Abandon() { e.whisper(e.watch.Abandoned()) }

// Event takes one event of the kernel at the given time (its clock, ns).
func (e *Engine) Event(ev event.Event, now uint64) {
	if ev.Kind == event.UpTo {
		e.heard = max(e.heard, ev.Time)
		return
	}
	e.stats.Events[ev.Kind]++
	switch ev.Kind {
	case event.OffCPU:
		e.book.Stretch(ev)
		return
	case event.CgroupRmdir:
		e.removed(ev)
	}
	verdict := e.ledger.Hear(ev)
	for _, a := range verdict.Attributed {
		e.hear(a)
	}
	for _, session := range verdict.Forget {
		e.forget(session)
	}
	// A runtime may be an attempt of a birth that had come to rest.
	if ev.Kind == event.CgroupMkdir || ev.Kind == event.SessionOpen && e.armedAt == 0 {
		e.armForBirths(now)
	}
}

// Pod takes the state of a pod.
func (e *Engine) Pod(p birth.Pod, now uint64) {
	if p.OptedOut {
		e.endObserving(p.UID)
	}
	sessions := e.book.Sessions(p.UID)
	e.book.Tell(p, now)
	if !e.book.Follows(p.UID) { // it was no birth
		for _, session := range sessions {
			e.forget(session)
		}
	}
	e.takeUp(p.UID, now)
	e.armForBirths(now)
}

// Said takes what the kubelet has said of a pod.
func (e *Engine) Said(uid string, remarks []birth.Remark) { e.book.Said(uid, remarks) }

// PodGone takes that a pod no longer exists.
func (e *Engine) PodGone(uid string, now uint64) { e.book.Gone(uid, now) }

// Sweep gives up what was never resolved and forgets what is long gone.
func (e *Engine) Sweep(now uint64) {
	for _, session := range e.ledger.Sweep(now) {
		e.forget(session)
	}
	for _, session := range e.book.Tracked() {
		if !e.ledger.Knows(session) {
			e.book.Forget(session)
		}
	}
	for _, uid := range e.held.old(now) {
		e.drop(uid)
	}
	e.sweepKernel(now)
}

// strayAfter is how old a session must be for the kernel to be asked to forget
// it although nobody here knows it.
const strayAfter = uint64(10 * time.Minute)

// sweepKernel ends the sessions whose opening was never heard, because the
// event was lost: nobody else would.
func (e *Engine) sweepKernel(now uint64) {
	sessions, err := e.kernel.Sessions()
	if err != nil {
		e.kernelError("list the sessions", err)
	}
	for id, opened := range sessions {
		if now > opened+strayAfter && !e.ledger.Knows(id) {
			e.forget(id)
		}
	}
}

// Stats returns the running totals.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.Attribution = e.ledger.Stats()
	s.Loss = e.loss
	s.BirthsOpen = e.book.Open()
	s.CPU = e.watch.Stats()
	s.EpisodesOpen = s.CPU.Episodes
	s.Cgroups = e.dictionary.Len()
	s.Armed = e.armedAt != 0
	return s.clone()
}

func (e *Engine) forget(session uint64) {
	e.ledger.Forget(session)
	e.book.Forget(session)
	if err := e.kernel.Forget(session); err != nil {
		e.kernelError("forget a session", err)
	}
}

func (e *Engine) whisper(all []*v1alpha1.KernelWhisper) {
	for _, w := range all {
		e.stats.Whispers++
		for _, s := range e.sinks {
			s.Whisper(w)
		}
	}
}
