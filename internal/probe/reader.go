// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf/ringbuf"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// drainInterval bounds how long an event may lie in the ring: most are
// submitted without a wakeup, which would cost fifty times the submit.
const drainInterval = 100 * time.Millisecond

// Read hands every event to hear, in about the order in which they happened,
// until ctx is done or the probe is closed. It blocks while hear does; the ring
// then fills, and what does not fit is counted by Lost.
func (p *Probe) Read(ctx context.Context, hear func(event.Event)) error {
	stop := context.AfterFunc(ctx, func() { _ = p.reader.Flush() })
	defer stop()
	var record ringbuf.Record
	for ctx.Err() == nil {
		p.reader.SetDeadline(time.Now().Add(drainInterval))
		err := p.reader.ReadInto(&record)
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
