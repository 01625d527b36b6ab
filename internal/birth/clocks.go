// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Everything is ordered and measured by the clock of events, which never steps. The
// wall clock of the node does: somebody sets it, or the node slept. A time that the
// API server has from before a step says nothing by the clock after it.

// stepLeast is by how much the wall clock must move against the clock of events to
// have been stepped: a slewed one moves by half a millisecond per second.
const stepLeast = time.Second

// epoch is what the wall clock would have been at zero of the clock of events.
func (b *Book) epoch(at uint64) time.Time { return epochOf(b.config.Wall, at) }

func epochOf(wall func(uint64) time.Time, at uint64) time.Time {
	return wall(at).Add(-time.Duration(at))
}

// stepped is true if the wall clock was set between two moments with these epochs.
func stepped(a, b time.Time) bool { return b.Sub(a).Abs() >= stepLeast }

// atWall is a milestone by the whole seconds of the API server; nil where it cannot
// be placed, because the wall clock was set meanwhile.
func (w *writer) atWall(t time.Time) *v1alpha1.Milestone {
	if e := w.seen.epoch; !e.IsZero() && stepped(e, epochOf(w.config.Wall, w.closing.Now)) {
		return nil
	}
	since := t.Sub(w.config.Wall(w.origin)).Microseconds()
	return &v1alpha1.Milestone{OffsetMicroseconds: max(0, since), Clock: v1alpha1.ClockAPI}
}
