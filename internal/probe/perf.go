// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/perf"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Bounds of the perf buffer of one CPU, in bytes; all together have about as much room
// as the ring.
const (
	perfTotal = 4 << 20
	perfMost  = 1 << 20
	perfLeast = 128 << 10
	// settle is how long an event waits for earlier ones of other CPUs: for longer than a
	// program takes from reading the clock to handing its event over.
	settle = time.Millisecond
)

// perCPU are the perf buffers, one for each CPU, whose events it puts in order.
type perCPU struct {
	*perf.Reader
	held []event.Event
}

func openPerf(events *ebpf.Map) (*perCPU, error) {
	size := perfMost
	for size > perfLeast && size*runtime.NumCPU() > perfTotal {
		size /= 2
	}
	r, err := perf.NewReader(events, size)
	if err != nil {
		return nil, explain("open the perf buffers", err)
	}
	return &perCPU{Reader: r}, nil
}

// hurry changes nothing: every event wakes this reader.
func (*perCPU) hurry(bool) error { return nil }

// read goes by rounds through all buffers. What happened before the last round began
// has been told to this one at the latest.
func (r *perCPU) read(ctx context.Context, hear func(event.Event)) error {
	stop := context.AfterFunc(ctx, func() { _ = r.Flush() })
	defer stop()
	for last := uint64(0); ctx.Err() == nil; {
		wait := restInterval
		if len(r.held) > 0 {
			wait = 0
			time.Sleep(settle)
		}
		began := Now()
		if err := r.round(wait); err != nil {
			if errors.Is(err, perf.ErrClosed) {
				return nil
			}
			return err
		}
		r.tell(last, hear)
		last = began
	}
	return nil
}

// round takes what is there; if there is nothing, it waits for something.
func (r *perCPU) round(wait time.Duration) error {
	r.SetDeadline(time.Now().Add(wait))
	var record perf.Record
	for {
		err := r.ReadInto(&record)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, perf.ErrFlushed):
			return nil
		case err != nil:
			return fmt.Errorf("read the perf buffers: %w", err)
		}
		r.SetDeadline(time.Unix(1, 0)) // wait for no more
		if record.LostSamples > 0 {    // the programs have counted them
			continue
		}
		e, err := decode(record.RawSample)
		if err != nil {
			return err
		}
		r.held = append(r.held, e)
	}
}

// tell hands over what happened before a time, in order.
func (r *perCPU) tell(before uint64, hear func(event.Event)) {
	slices.SortStableFunc(r.held, func(a, b event.Event) int { return cmp.Compare(a.Time, b.Time) })
	n, _ := slices.BinarySearchFunc(r.held, before, func(e event.Event, t uint64) int { return cmp.Compare(e.Time, t) })
	for _, e := range r.held[:n] {
		hear(e)
	}
	r.held = slices.Delete(r.held, 0, n)
}
