// SPDX-License-Identifier: Apache-2.0

package attribution

import (
	"fmt"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// However many sessions get no name, what waits for them is bounded, and each event
// is counted once all the same.
func TestWhatWaitsIsBounded(t *testing.T) {
	s := newStory()
	heard := uint64(0)
	for session := uint64(1); session <= 100; session++ {
		s.hear(open(session, event.RoleRuntime, "runc", "create", fmt.Sprintf("%064x", session)))
		heard++
		for range bufferMax {
			s.hear(exec(session))
			heard++
		}
	}
	for i := range 100 {
		s.hear(event.Event{Kind: event.NetnsBind, File: fmt.Sprint("/run/netns/", i)})
		heard++
	}
	stats := s.Stats()
	if stats.Waiting != waitingMax || stats.Total() != heard || len(s.mounts) != 0 {
		t.Errorf("%d wait, %d of %d counted, %d mounts", stats.Waiting, stats.Total(), heard, len(s.mounts))
	}
	for session := uint64(1); session <= 100; session++ {
		s.Forget(session)
	}
	if stats := s.Stats(); stats.Waiting != 0 || stats.Total() != heard {
		t.Errorf("%d still wait, %d of %d counted", stats.Waiting, stats.Total(), heard)
	}
}
