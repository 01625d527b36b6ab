// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"context"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Nothing that may begin a birth waits, and all come in the order in which they were told.
func TestBatches(t *testing.T) {
	b := newBatches()
	tell := func(kind event.Kind, n int) {
		for range n {
			b.hear(t.Context(), event.Event{Kind: kind, Time: 1})
		}
	}
	tell(event.CgroupMkdir, 1)
	if first := <-b.out; len(first) != 1 || first[0].Kind != event.CgroupMkdir {
		t.Fatalf("%d events", len(first))
	}
	tell(event.OffCPU, batchMax-1)
	select {
	case early := <-b.out:
		t.Fatalf("%d events that nobody waits for", len(early))
	default:
	}
	tell(event.UpTo, 1)
	batch := <-b.out
	if len(batch) != batchMax || batch[batchMax-2].Kind != event.OffCPU || batch[batchMax-1].Kind != event.UpTo {
		t.Fatalf("%d events, the last %q", len(batch), batch[len(batch)-1].Kind)
	}
	b.free(batch)
	tell(event.OffCPU, batchMax)
	again := <-b.out
	if len(again) != batchMax || &again[0] != &batch[0] {
		t.Errorf("%d events, in a batch of their own", len(again))
	}
}

// A reader that waits for the engine ends with its context.
func TestBatchesEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := newBatches()
	for range backlog {
		b.hear(ctx, event.Event{Kind: event.UpTo})
	}
	cancel()
	b.hear(ctx, event.Event{Kind: event.UpTo})
}

func BenchmarkBatches(b *testing.B) {
	batches := newBatches()
	go func() {
		for batch := range batches.out {
			batches.free(batch)
		}
	}()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		kind := event.OffCPU
		if i%32 == 0 {
			kind = event.Exec
		}
		batches.hear(b.Context(), event.Event{Kind: kind})
	}
	close(batches.out)
}
