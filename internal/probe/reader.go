// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// drainInterval bounds how long an event may lie in the ring: most are
// submitted without a wakeup, which would cost fifty times the submit.
const drainInterval = 100 * time.Millisecond

// reader takes events out of their buffer.
type reader interface {
	io.Closer
	read(ctx context.Context, hear func(event.Event)) error
}

func openReader(events *ebpf.Map, way hooks.Way) (reader, error) {
	if way == hooks.PerfBuffer {
		return openPerf(events)
	}
	r, err := ringbuf.NewReader(events)
	if err != nil {
		return nil, fmt.Errorf("open the event ring: %w", err)
	}
	return &ring{r}, nil
}

// Read hands every event to hear, in about the order in which they happened,
// until ctx is done or the probe is closed. It blocks while hear does; the buffer
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

type ring struct{ *ringbuf.Reader }

func (r *ring) read(ctx context.Context, hear func(event.Event)) error {
	stop := context.AfterFunc(ctx, func() { _ = r.Flush() })
	defer stop()
	var record ringbuf.Record
	for ctx.Err() == nil {
		r.SetDeadline(time.Now().Add(drainInterval))
		err := r.ReadInto(&record)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, ringbuf.ErrFlushed):
			continue
		case errors.Is(err, ringbuf.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("read the event ring: %w", err)
		}
		e, err := decode(record.RawSample)
		if err != nil {
			return err
		}
		hear(e)
	}
	return nil
}
