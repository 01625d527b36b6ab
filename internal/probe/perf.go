// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
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
	// roundMax events end a round that goes on as long as new ones come, and heldMax are
	// held back to be put in order at most.
	roundMax = 8192
	heldMax  = 2 * 8192
)

// perCPU are the perf buffers, one for each CPU, whose events it puts in order.
type perCPU struct {
	*perf.Reader
	pace
	decoder
	records records
	held    []event.Event
}

// records are what perf.Reader is read by.
type records interface {
	SetDeadline(time.Time)
	ReadInto(*perf.Record) error
}

func openPerf(events *ebpf.Map) (*perCPU, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count CPUs: %w", err)
	}
	r, err := perf.NewReader(events, perfSize(cpus))
	if err != nil {
		return nil, explain("open the perf buffers", err)
	}
	return &perCPU{Reader: r, records: r}, nil
}

// perfSize is that of the buffer of one of as many CPUs as there can be: each has one,
// on whichever of them this process may run.
func perfSize(cpus int) int {
	size := perfMost
	for size > perfLeast && size*cpus > perfTotal {
		size /= 2
	}
	return size
}

// hurry makes it say more often how far it has come: every event wakes this reader.
func (r *perCPU) hurry(on bool) error {
	r.hurried.Store(on)
	if err := r.Flush(); err != nil {
		return fmt.Errorf("wake the reader of events: %w", err)
	}
	return nil
}

// read goes by rounds through all buffers. What happened before the last round began
// has been told to this one at the latest. A round that was cut short has not been through
// all of them: what it found is held until one has, or more is held than may be.
func (r *perCPU) read(ctx context.Context, hear func(event.Event)) error {
	stop := context.AfterFunc(ctx, func() { _ = r.Flush() })
	defer stop()
	return r.rounds(ctx, hear)
}

func (r *perCPU) rounds(ctx context.Context, hear func(event.Event)) error {
	for last := uint64(0); ctx.Err() == nil; {
		wait := r.interval()
		if len(r.held) > 0 {
			wait = 0
			time.Sleep(settle)
		}
		began := Now()
		all, err := r.round(wait)
		if errors.Is(err, perf.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		if !all {
			r.relieve(hear)
			continue
		}
		r.tell(last, hear)
		hear(event.Event{Kind: event.UpTo, Time: last})
		last = began
	}
	return nil
}

// round takes what is there; if there is nothing, it waits for something. It is false
// if there may be more: without a bound it would not end while events come as fast as
// they are read.
func (r *perCPU) round(wait time.Duration) (all bool, err error) {
	r.records.SetDeadline(time.Now().Add(wait))
	var record perf.Record
	for range roundMax {
		err := r.records.ReadInto(&record)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, perf.ErrFlushed):
			return true, nil
		case err != nil:
			return false, fmt.Errorf("read the perf buffers: %w", err)
		}
		r.records.SetDeadline(time.Unix(1, 0)) // wait for no more
		if record.LostSamples > 0 {            // the programs have counted them
			continue
		}
		e, err := r.decode(record.RawSample)
		if err != nil {
			return false, err
		}
		r.held = append(r.held, e)
	}
	return false, nil
}

func (r *perCPU) sort() {
	slices.SortStableFunc(r.held, func(a, b event.Event) int { return cmp.Compare(a.Time, b.Time) })
}

// relieve makes room for another round: it hands over what happened first. Another CPU's
// buffer may still have an earlier one.
func (r *perCPU) relieve(hear func(event.Event)) {
	if n := len(r.held) + roundMax - heldMax; n > 0 {
		r.sort()
		r.hand(n, hear)
	}
}

// tell hands over what happened before a time, in order.
func (r *perCPU) tell(before uint64, hear func(event.Event)) {
	r.sort()
	n, _ := slices.BinarySearchFunc(r.held, before, func(e event.Event, t uint64) int { return cmp.Compare(e.Time, t) })
	r.hand(n, hear)
}

func (r *perCPU) hand(n int, hear func(event.Event)) {
	for _, e := range r.held[:n] {
		hear(e)
	}
	r.held = slices.Delete(r.held, 0, n)
}
