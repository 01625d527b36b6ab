// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// A wall clock that is set in the midst of a birth, by an hour to either side, moves
// neither the order of what is told nor how long it took.
func TestTheWallClockIsSetInABirth(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, 10 * time.Second, -10 * time.Second} {
		t.Run(step.String(), func(t *testing.T) {
			b := newTestBook(false)
			b.config.Remarks = true
			wall := b.config.Wall
			b.Tell(running(false), sec-50*ms)
			begin(b, sec)
			b.config.Wall = func(at uint64) time.Time { return wall(at).Add(step) } // from here on
			ready := running(true)
			ready.ReadySince = b.config.Wall(2 * sec)
			if step > 0 {
				ready.ReadySince = wall(2 * sec) // the kubelet's second was before
			}
			b.Tell(ready, 2*sec)
			b.Said(uid, []Remark{{Reason: "Pulled", Container: "app", Message: "Successfully pulled image", Time: wall(sec)}})
			s := mustClose(t, b, 4*sec)
			if r := s.Milestones.Ready; r == nil || r.Clock != v1alpha1.ClockWatch || r.OffsetMicroseconds != 1_050_000 {
				t.Errorf("ready %+v", r)
			}
			if s.KernelStats.DurationMicroseconds != 1_050_000 || s.KernelStats.WindowMicroseconds != 3_050_000 {
				t.Errorf("lasted %d of %d µs", s.KernelStats.DurationMicroseconds, s.KernelStats.WindowMicroseconds)
			}
			if c := s.Milestones.Containers[0]; c.ImageReady != nil {
				t.Errorf("the image was ready at %+v by a clock that was set since", c.ImageReady)
			}
			before := int64(0)
			for _, e := range s.Timeline {
				if e.OffsetMicroseconds < before {
					t.Errorf("the timeline goes back at %s", e.Action)
				}
				before = e.OffsetMicroseconds
			}
		})
	}
}
