// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"fmt"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
)

// What is kept of all births together is bounded, whatever is kept of each; births
// that end make room.
func TestEventsOfAllBirthsAreBounded(t *testing.T) {
	b := NewBook(Config{})
	fill := func(from, to int) (kept int) {
		for i := from; i < to; i++ {
			current := &birth{}
			b.births[fmt.Sprint(i)] = current
			for range eventsMax + 10 {
				if b.hasRoom(current) {
					current.events = append(current.events, attribution.Attributed{})
				}
			}
			kept += len(current.events)
		}
		return kept
	}
	const whole = eventsMaxAll / eventsMax
	if kept := fill(0, whole+8); kept != eventsMaxAll {
		t.Errorf("%d events of all births", kept)
	}
	delete(b.births, "0")
	if kept := fill(whole+8, whole+9); kept != eventsMax {
		t.Errorf("%d events after one has ended", kept)
	}
}
