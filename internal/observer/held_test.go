// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"fmt"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func waitingFor(uid string, at uint64) attribution.Attributed {
	return attribution.Attributed{Event: event.Event{Time: at}, Who: attribution.Identity{PodUID: uid}}
}

func TestHeldEventsAreBounded(t *testing.T) {
	h := held{of: map[string][]attribution.Attributed{}}
	kept := 0
	for i := range 4 * heldMaxAll {
		if h.add(waitingFor(fmt.Sprint(i%1000), 1)) {
			kept++
		}
	}
	if kept != heldMaxAll || h.all != kept {
		t.Errorf("%d are kept, %d counted, of at most %d", kept, h.all, heldMaxAll)
	}
	freed := len(h.take("7"))
	if h.all != kept-freed || freed == 0 || !h.add(waitingFor("new", 1)) {
		t.Errorf("%d counted after %d were taken", h.all, freed)
	}
	h = held{of: map[string][]attribution.Attributed{}}
	for range 2 * heldMax {
		h.add(waitingFor("one", 1))
	}
	if h.all != heldMax {
		t.Errorf("%d of one pod", h.all)
	}
}
