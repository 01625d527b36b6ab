// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/cost"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Ear hears the bursts of a few cgroups at a time.
type Ear interface {
	// Start listens to a cgroup of the cpu controller's hierarchy.
	Start(cgroup uint64) error
	// Stop ends it and returns what was heard.
	Stop(cgroup uint64) (event.Recording, error)
}

// LeanIn asks for a container's bursts.
type LeanIn struct {
	cpu.LeanIn
	// Levels are the container's own cgroup, then those above it that have a limit.
	Levels []CgroupRef
}

// CgroupRef is what identifies a cgroup to Kernel.ReadGroup.
type CgroupRef = event.CgroupRef

// Heard is what came of a lean-in, and how long the model took for it.
type Heard struct {
	cpu.Heard
	Took time.Duration
}

// BurstsMax is how many bursts of one lean-in are enough: it is ended early. They
// are kept in memory until they have been replayed.
const BurstsMax = 50_000

// listenStep is how often it is looked whether they are enough.
const listenStep = 100 * time.Millisecond

// limitsStep is how often it is looked whether the limits are still the same.
const limitsStep = time.Second

// Ears carry out lean-ins beside the engine, which must not wait for them.
type Ears struct {
	ear    Ear
	read   func(id, pointer uint64) (event.Group, error)
	node   func() (cpu.Node, error)
	log    *slog.Logger
	wishes chan LeanIn
	heard  chan Heard
	// judging: one recording at a time is replayed, since that takes memory for a
	// moment (60 MB for 62,500 bursts).
	judging sync.Mutex
	cost    Cost

	mu     sync.Mutex
	warned time.Time // when it was last said that something failed
}

// NewEars makes ears. read reads a cgroup's bandwidth, node how the node's CPUs
// were used; node may be nil.
func NewEars(ear Ear, read func(id, pointer uint64) (event.Group, error), node func() (cpu.Node, error), log *slog.Logger) *Ears {
	const room = 16 // more than are ever leaned in on at a time
	return &Ears{ear: ear, read: read, node: node, log: log, wishes: make(chan LeanIn, room), heard: make(chan Heard, room), cost: free{}}
}

// ChargeTo has the replays charged. It must be called before Run.
func (e *Ears) ChargeTo(c Cost) { e.cost = c }

// LeanIn begins to listen. It does not block.
func (e *Ears) LeanIn(l LeanIn) {
	select {
	case e.wishes <- l:
	default:
		e.log.Error("too many lean-ins at a time: left one out")
	}
}

// Heard is where what was heard comes out.
func (e *Ears) Heard() <-chan Heard { return e.heard }

// Run listens until ctx is done. What is heard then is dropped.
func (e *Ears) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-e.wishes:
			all.Go(func() {
				h := e.listen(ctx, l)
				took := e.judge(ctx, &h)
				select {
				case e.heard <- Heard{Heard: h, Took: took}:
				case <-ctx.Done():
				}
			})
		}
	}
}

// judge replays what was heard, and returns how long that took.
func (e *Ears) judge(ctx context.Context, h *cpu.Heard) time.Duration {
	e.judging.Lock()
	defer e.judging.Unlock()
	if ctx.Err() != nil {
		return 0
	}
	began := time.Now()
	e.cost.Charge(cost.PartReplay, h.Judge)
	return time.Since(began)
}

// listen is one lean-in, from its start to its end.
func (e *Ears) listen(ctx context.Context, l LeanIn) cpu.Heard {
	h := cpu.Heard{ContainerID: l.ContainerID, Why: l.Why}
	if err := e.record(ctx, l, &h); err != nil {
		h.Recording, h.Failed = event.Recording{}, err.Error()
		e.warn(l, err)
	}
	return h
}

// warn says what failed, where nothing was said for a while: a container may be gone by
// the time that it is listened to, and each has another error.
func (e *Ears) warn(l LeanIn, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	say := e.log.Debug
	if now := time.Now(); e.warned.IsZero() || now.Sub(e.warned) >= failureInterval {
		say, e.warned = e.log.Warn, now
	}
	say("cannot listen to a container's bursts", "container", l.ContainerID, "error", err)
}

func (e *Ears) record(ctx context.Context, l LeanIn, h *cpu.Heard) error {
	own := l.Levels[0].ID
	if err := e.ear.Start(own); err != nil {
		return fmt.Errorf("start to listen: %w", err)
	}
	before, failed := e.groups(l.Levels)
	h.Before = e.readNode()
	if failed == nil {
		e.wait(ctx, l, before)
	}
	after, gone := e.groups(l.Levels)
	h.After = e.readNode()
	r, err := e.ear.Stop(own)
	switch {
	case err != nil:
		return fmt.Errorf("stop listening: %w", err)
	case failed != nil:
		return failed
	case gone != nil:
		return gone
	}
	r.Before, r.After = before, after
	r.Stolen = cpu.Stolen(h.Before, h.After)
	h.Recording = r
	return nil
}

// wait passes the time of a lean-in, or less: where enough was heard, and where a limit is
// no longer what it was before, as nothing comes of it then, and what was changed is to be
// listened to.
func (e *Ears) wait(ctx context.Context, l LeanIn, before []event.Group) {
	began, looked := time.Now(), time.Now()
	step := time.NewTicker(listenStep)
	defer step.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-step.C:
		}
		bursts, serving := e.soFar(l.Levels[0].ID)
		if bursts >= BurstsMax || l.Over(time.Since(began), serving) {
			return
		}
		if time.Since(looked) < limitsStep {
			continue
		}
		looked = time.Now()
		if now, err := e.groups(l.Levels); err != nil || !cpu.Steady(before, now) {
			return
		}
	}
}

// soFar is how many bursts were heard, and how many of them serve somebody; none where the
// ear does not tell.
func (e *Ears) soFar(cgroup uint64) (bursts, serving int) {
	if counter, counts := e.ear.(interface {
		Heard(cgroup uint64) (bursts, serving int)
	}); counts {
		return counter.Heard(cgroup)
	}
	return 0, 0
}

// groups reads the bandwidth at all levels.
func (e *Ears) groups(levels []CgroupRef) ([]event.Group, error) {
	var all []event.Group
	for _, l := range levels {
		g, err := e.read(l.ID, l.Pointer)
		if err != nil {
			return nil, fmt.Errorf("read the bandwidth beside the bursts: %w", err)
		}
		all = append(all, g)
	}
	return all, nil
}

func (e *Ears) readNode() cpu.Node {
	if e.node == nil {
		return cpu.Node{}
	}
	n, err := e.node()
	if err != nil {
		return cpu.Node{} // said where it is read every second
	}
	return n
}
