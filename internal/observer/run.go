// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// How often the engine looks after what has no event of its own.
const (
	birthInterval = 100 * time.Millisecond
	// restInterval is that of births while there are none.
	restInterval = time.Second
	// afterglowInterval is that while the programs of births are attached without one.
	afterglowInterval  = 500 * time.Millisecond
	throttlingInterval = time.Second
	sweepInterval      = 10 * time.Second
	// abandonAfter is the time that resumed episodes have to go on.
	abandonAfter = 30 * time.Second
)

// PodUpdate is a pod's state, that it is gone, or what the kubelet said of it.
type PodUpdate struct {
	Pod  birth.Pod
	Gone bool
	// Said is true where Remarks are what is told; of Pod only the UID counts.
	Said    bool
	Remarks []birth.Remark
}

// Inputs of Run.
type Inputs struct {
	// Read hands events over until its context is done.
	Read func(context.Context, func(event.Event)) error
	// Pods may be nil where there is no API server.
	Pods <-chan PodUpdate
	// Ask asks for the kubelet's remarks on a pod, which come as a PodUpdate. It
	// must not block. May be nil.
	Ask func(birth.Pod)
	// LeanIn listens to a container's bursts; what comes of it is told to Heard. It
	// must not block. Both are nil where nobody can.
	LeanIn func(LeanIn)
	Heard  <-chan Heard
	// Node reads how the node's CPUs have been used; may be nil.
	Node func() (cpu.Node, error)
	// Open are the whispers that an earlier run left open; may be nil.
	Open <-chan []*v1alpha1.KernelWhisper
	// Cost keeps the budget; nil: nobody does.
	Cost Cost
	// Earlier are the pods that an earlier run has told of, by UID, with the names of their
	// certificates; may be nil.
	Earlier <-chan map[string][]string
	// Now is the clock of events.
	Now func() uint64
	// Stats takes a copy of the totals, about every second.
	Stats func(Stats)
}

// Run feeds the engine until ctx is done or the kernel's side fails.
func Run(ctx context.Context, e *Engine, in Inputs) error {
	events := newBatches()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return in.Read(ctx, func(ev event.Event) { events.hear(ctx, ev) })
	})
	group.Go(func() error {
		loop(ctx, e, in, events)
		return nil
	})
	return group.Wait()
}

// batch takes events that came together.
func (e *Engine) batch(all []event.Event, now uint64) {
	for i := range all {
		e.Event(all[i], now)
	}
}

func (e *Engine) update(p PodUpdate, now uint64) {
	switch {
	case p.Gone:
		e.PodGone(p.Pod.UID, now)
	case p.Said:
		e.Said(p.Pod.UID, p.Remarks)
	default:
		e.Pod(p.Pod, now)
	}
}

func (e *Engine) readNode(read func() (cpu.Node, error)) {
	if read == nil {
		return
	}
	n, err := read()
	if err != nil {
		e.kernelError("read how the CPUs were used", err)
		return
	}
	e.Node(n)
}

func loop(ctx context.Context, e *Engine, in Inputs, events *batches) {
	if in.Cost == nil {
		in.Cost = free{}
	}
	pace := newPace()
	defer pace.births.Stop()
	throttling := time.NewTicker(throttlingInterval)
	defer throttling.Stop()
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	abandon := make(<-chan time.Time)
	e.ask = in.Ask
	e.LeanWith(in.LeanIn)
	for {
		pace.follow(e)
		select {
		case <-ctx.Done():
			return
		case batch := <-events.out:
			e.batch(batch, in.Now())
			events.free(batch)
		case p := <-in.Pods:
			e.update(p, in.Now())
		case open := <-in.Open:
			for _, w := range open {
				e.Resume(w)
			}
			abandon = time.After(abandonAfter)
		case names := <-in.Earlier:
			e.Earlier(names, in.Now())
		case <-abandon:
			e.Abandon()
		case <-pace.births.C:
			e.Births(in.Now())
		case h := <-in.Heard:
			e.Heard(h, in.Now())
		case <-throttling.C:
			pace.second(e, in)
			in.Stats(e.Stats())
		case <-sweep.C:
			e.Sweep(in.Now())
		}
	}
}
