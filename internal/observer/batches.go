// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"context"
	"sync"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	// batchMax events are handed from who reads them to the engine at once.
	batchMax = 256
	// backlog of batches between the two.
	backlog = 32
)

// batches hands events from their readers to the engine. Of a birth 97 of 100 tell that a
// thread has left its CPU, which nobody waits for: they go along with what comes next. To
// hand over each by itself, and to wake who takes it, cost several times as much as to take it.
type batches struct {
	out  chan []event.Event
	used chan []event.Event

	// mu keeps the order in which several readers tell.
	mu   sync.Mutex
	next []event.Event
}

func newBatches() *batches {
	return &batches{out: make(chan []event.Event, backlog), used: make(chan []event.Event, backlog)}
}

// hear takes an event. It blocks while the engine is far behind, until ctx is done.
func (b *batches) hear(ctx context.Context, ev event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = b.empty()
	}
	b.next = append(b.next, ev)
	if ev.Kind == event.OffCPU && len(b.next) < batchMax {
		return
	}
	select {
	case b.out <- b.next:
		b.next = nil
	case <-ctx.Done():
	}
}

// empty is a batch that was taken before, if there is one.
func (b *batches) empty() []event.Event {
	select {
	case batch := <-b.used:
		return batch[:0]
	default:
		return make([]event.Event, 0, batchMax)
	}
}

// free takes back a batch that nobody looks at any more.
func (b *batches) free(batch []event.Event) {
	clear(batch) // what its events refer to is not kept
	select {
	case b.used <- batch:
	default:
	}
}
