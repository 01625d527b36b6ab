// SPDX-License-Identifier: Apache-2.0

package attribution

import (
	"maps"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// droppedMax bounds the dropped events that are remembered one by one, for the
// births that were under way.
const droppedMax = 65536

// Stats are running totals of a ledger.
type Stats struct {
	// Attributed events: the pod is known, or that they are of no birth.
	Attributed uint64
	// Daemons are events of daemons that serve all pods, and name none.
	Daemons uint64
	// Waiting events: the pod is not known yet.
	Waiting uint64
	// Dropped events, by the role of the session that never got a name.
	Dropped map[event.Role]uint64
}

// Total is all events of births and of daemons.
func (s Stats) Total() uint64 {
	n := s.Attributed + s.Daemons + s.Waiting
	for _, d := range s.Dropped {
		n += d
	}
	return n
}

// tally counts each event once, by what became of it.
type tally struct {
	heard, attributed, daemons, waiting uint64
	dropped                             map[event.Role]uint64
	// numbers of the latest dropped events, in order.
	numbers []uint64
}

// count takes an event and returns its number.
func (t *tally) count() uint64 {
	t.heard++
	return t.heard
}

func (t *tally) drop(role event.Role, h held) {
	t.dropped[role]++
	t.numbers = append(t.numbers, h.number)
	t.numbers = t.numbers[max(0, len(t.numbers)-droppedMax):]
}

// Stats returns the running totals.
func (t *tally) Stats() Stats {
	return Stats{Attributed: t.attributed, Daemons: t.daemons, Waiting: t.waiting, Dropped: maps.Clone(t.dropped)}
}

// Mark is a place in the stream of events.
type Mark struct{ heard, daemons uint64 }

// Mark is where the stream was before the event that was heard last.
func (t *tally) Mark() Mark { return Mark{max(t.heard, 1) - 1, t.daemons} }

// End is where the stream is.
func (t *tally) End() Mark { return Mark{t.heard, t.daemons} }

// Window is what was heard between two marks.
type Window struct {
	// Heard in all; of these Daemons are of daemons that name no pod, and
	// Unresolved wait for a name or never got one.
	Heard, Daemons, Unresolved uint64
}

// Since is what was heard since a mark.
func (l *Ledger) Since(m Mark) Window { return l.Between(m, l.End()) }

// Between is what was heard after one mark and up to another: what waited for its
// name at the end of that time may have one by now.
func (l *Ledger) Between(m, end Mark) Window {
	w := Window{Heard: end.heard - m.heard, Daemons: end.daemons - m.daemons}
	later := func(all []held) {
		for _, h := range all {
			if h.number > m.heard && h.number <= end.heard {
				w.Unresolved++
			}
		}
	}
	for _, s := range l.sessions {
		later(s.buffer)
	}
	for _, all := range l.mounts {
		later(all)
	}
	for _, n := range l.numbers {
		if n > m.heard && n <= end.heard {
			w.Unresolved++
		}
	}
	return w
}
