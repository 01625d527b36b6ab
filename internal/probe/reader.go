// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// drainInterval bounds how long an event may lie in the ring during births: most
// are submitted without a wakeup, which would cost fifty times the submit.
const drainInterval = 100 * time.Millisecond

// restInterval is that while no birth is under way: what may begin one wakes the
// reader then, and ten looks a second were most of what the observer cost at rest.
const restInterval = 500 * time.Millisecond

// reader takes events out of their buffer.
type reader interface {
	io.Closer
	read(ctx context.Context, hear func(event.Event)) error
	// hurry tells whether a birth is under way: what is in the buffer is wanted soon.
	hurry(bool) error
}

func openReader(events *ebpf.Map, way hooks.Way) (reader, error) {
	if way == hooks.PerfBuffer {
		return openPerf(events)
	}
	r, err := ringbuf.NewReader(events)
	if err != nil {
		return nil, fmt.Errorf("open the event ring: %w", err)
	}
	return &ring{Reader: r}, nil
}

// Read hands every event to hear, in about the order in which they happened, and with
// event.UpTo how far it has come, until ctx is done or the probe is closed. It blocks while hear does; the buffer
// then fills, and what does not fit is counted by Lost.
func (p *Probe) Read(ctx context.Context, hear func(event.Event)) error {
	return p.reader.read(ctx, func(e event.Event) {
		if e.Kind == event.CgroupMkdir && e.Pointer == 0 {
			p.complete(&e)
		}
		hear(e)
	})
}

// complete finds what the record of a perf tracepoint does not have.
func (p *Probe) complete(e *event.Event) {
	if id, pointer, err := p.Locate(e.Path); err == nil && id == e.Cgroup {
		e.Pointer = pointer
	}
}

// pace is how often a reader looks for what nobody wakes it for.
type pace struct{ hurried atomic.Bool }

func (p *pace) interval() time.Duration {
	if p.hurried.Load() {
		return drainInterval
	}
	return restInterval
}

type ring struct {
	*ringbuf.Reader
	pace
	decoder
}

func (r *ring) hurry(on bool) error {
	r.hurried.Store(on)
	// It may have begun to wait for longer; or what came last, without a wakeup, has
	// to be waited for as long as at rest.
	if err := r.Flush(); err != nil {
		return fmt.Errorf("wake the reader of events: %w", err)
	}
	return nil
}

func (r *ring) read(ctx context.Context, hear func(event.Event)) error {
	stop := context.AfterFunc(ctx, func() { _ = r.Flush() })
	defer stop()
	var record ringbuf.Record
	var upTo, began uint64
	for ctx.Err() == nil {
		if record.Remaining == 0 { // only then may it have to wait
			began = Now()
			r.SetDeadline(time.Now().Add(r.interval()))
		}
		err := r.ReadInto(&record)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, ringbuf.ErrFlushed):
			record.Remaining = 0
			upTo = began // nothing was left since then
			hear(event.Event{Kind: event.UpTo, Time: upTo})
			continue
		case errors.Is(err, ringbuf.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("read the event ring: %w", err)
		}
		e, err := r.decode(record.RawSample)
		if err != nil {
			return err
		}
		hear(e)
		if e.Time >= upTo+uint64(drainInterval) { // what has been told is told without an end, too
			upTo = e.Time
			hear(event.Event{Kind: event.UpTo, Time: upTo})
		}
	}
	return nil
}
