// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"cmp"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// verdict is how the wakes of a stream move when the limit changes.
type verdict uint8

const (
	unsure verdict = iota
	open           // they come when they come
	grid           // they come at multiples of a period
	closed         // they follow the end of what went before, after a pause
)

// stream is a row of outside activations that one waker makes, by time.
type stream struct {
	acts []int32
	// gaps are the pauses from the end of an activation to the next wake, -1 if it
	// had not ended; steps are the times between wakes.
	gaps, steps []int64
	verdict     verdict
	likely      verdict // while in doubt: open, or closed
	period      int64   // of a grid
	shared      bool    // its waker wakes others while it waits for nothing
	drops       bool    // of a grid: what it misses is left out, not made up for
	pool        *pool   // nil if its waker has no others
}

// pool is the streams of all threads that one waker gives work to.
type pool struct {
	streams []*stream
	life    *survival // of their jobs, once it was asked for
	rate    float64   // CPU time per time
}

// overlaps is the share of wakes that came before what went before was done.
func (s *stream) overlaps() float64 {
	n := 0
	for _, g := range s.gaps {
		if g < 0 {
			n++
		}
	}
	return float64(n) / float64(max(len(s.gaps), 1))
}

type key struct {
	waker event.Waker
	id    uint32
}

// streams groups the outside activations by who may have made them. A client is a
// thread of another cgroup, unless one such thread asks for several things at
// once: then each thread that it wakes is taken for a client of its own.
func (w *workload) streams() []*stream {
	byWaker := w.group(func(b *event.Burst) key {
		if b.Waker == event.WakerOutside {
			return key{b.Waker, b.WakerTID}
		}
		return key{b.Waker, b.TID}
	})
	var list []*stream
	for _, s := range byWaker {
		if w.bursts[w.acts[s.acts[0]].first].Waker == event.WakerOutside && s.overlaps() > overlapsMany {
			parts := w.split(s)
			together := &pool{streams: parts, rate: w.rateOf(s)}
			for _, p := range parts {
				p.shared, p.pool = true, together
			}
			list = append(list, parts...)
			continue
		}
		list = append(list, s)
	}
	return list
}

// overlapsMany is the share of overlapping wakes from which on a waker is not one
// client that waits for its answers.
const overlapsMany = 0.05

// group makes streams of the outside activations of equal keys, in the order in
// which the keys appear.
func (w *workload) group(by func(*event.Burst) key) []*stream {
	byKey := map[key]*stream{}
	var list []*stream
	for i := range w.acts {
		if !w.acts[i].serves {
			continue
		}
		k := by(&w.bursts[w.acts[i].first])
		s := byKey[k]
		if s == nil {
			s = &stream{}
			byKey[k] = s
			list = append(list, s)
		}
		s.acts = append(s.acts, int32(i))
	}
	for _, s := range list {
		w.measure(s)
	}
	return list
}

// split makes a stream of each thread that a waker wakes.
func (w *workload) split(s *stream) []*stream {
	byThread := map[int32]*stream{}
	var list []*stream
	for _, i := range s.acts {
		t := w.thread[w.acts[i].first]
		if byThread[t] == nil {
			byThread[t] = &stream{}
			list = append(list, byThread[t])
		}
		byThread[t].acts = append(byThread[t].acts, i)
	}
	for _, s := range list {
		w.measure(s)
	}
	return list
}

// measure fills the gaps and steps of a stream.
func (w *workload) measure(s *stream) {
	slices.SortFunc(s.acts, func(a, b int32) int {
		return cmp.Or(cmp.Compare(w.acts[a].woken, w.acts[b].woken), cmp.Compare(a, b))
	})
	s.gaps, s.steps = nil, nil
	for k := 1; k < len(s.acts); k++ {
		a, b := &w.acts[s.acts[k-1]], &w.acts[s.acts[k]]
		s.steps = append(s.steps, b.woken-a.woken)
		gap := b.woken - a.answered
		if gap < 0 {
			// What it caused went on, but its own thread may have answered before.
			gap = max(b.woken-a.ended, -1)
			if gap >= 0 {
				a.answer = a.last
			}
		}
		s.gaps = append(s.gaps, gap)
	}
}

// agree takes back what makes a loop of few threads of a pool while most of its work
// shows none: one waker is behind all of them.
func (w *workload) agree(streams []*stream) {
	for _, s := range streams {
		if s.verdict != closed || s.pool == nil {
			continue
		}
		all, loops := 0, 0
		for _, other := range s.pool.streams {
			all += len(other.acts)
			if other.verdict == closed {
				loops += len(other.acts)
			}
		}
		if 2*loops < all {
			s.verdict = unsure
		}
	}
}
