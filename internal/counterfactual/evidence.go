// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"math"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	// few wakes of a stream tell nothing.
	few = 8
	// nanosleep is that system call's number on x86-64 and on arm64: a pause from now
	// on, always. clock_nanosleep (230, 115) may be either.
	nanosleepX86, nanosleepARM = 35, 101
	// onGrid is how close to a multiple of the period a step has to be, and
	// gridShare how many steps have to be.
	onGrid    = 0.04
	gridShare = 0.85
)

// judge decides on a stream what it can by the stream alone.
func (w *workload) judge(s *stream) {
	if len(s.steps) < few {
		return
	}
	first := &w.bursts[w.acts[s.acts[len(s.acts)/2]].first]
	if w.runtime(first) || w.hardly(s) {
		s.shared = true
		if naps(first) {
			s.verdict = open
			return
		}
	}
	if !s.shared && (first.Waker == event.WakerOutside || clockNanosleep(first.Slept)) && !s.irregular() {
		// A client of its own, or a thread's own pause: a loop, unless it is shown to be
		// none, or looks like none.
		s.likely = closed
	}
	switch {
	case w.onGrid(s):
		s.verdict = grid
	case first.Waker == event.WakerInterrupt && (first.Slept == nanosleepX86 || first.Slept == nanosleepARM):
		s.verdict = closed
	case s.overlaps() <= overlapsMany:
		s.pauses(first.Waker)
	}
}

// runtime is true for a nap of Go's runtime: its sysmon, or a thread that waits for
// another for some microseconds. A sleep of the program is a futex's or epoll's.
func (w *workload) runtime(b *event.Burst) bool {
	return w.language == "Go" && (b.Slept == nanosleepX86 || b.Slept == nanosleepARM)
}

// naps is true for a thread that a timer woke out of a sleep of its own.
func naps(b *event.Burst) bool {
	return b.Waker == event.WakerInterrupt && (b.Slept == nanosleepX86 || b.Slept == nanosleepARM || clockNanosleep(b.Slept))
}

// hardly is true if the activations of a stream themselves do next to nothing: a
// thread that takes in what comes for others, or a runtime's watchman.
func (w *workload) hardly(s *stream) bool {
	var cpu int64
	for _, i := range s.acts {
		cpu += w.acts[i].cpu
	}
	return cpu < works*int64(len(s.acts))
}

// pauses decides by how steady the pauses and the steps of a stream are.
func (s *stream) pauses(waker event.Waker) {
	gaps, steps := quartiles(s.gaps), quartiles(s.steps)
	slope, err := s.slope()
	switch {
	case gaps*2 < steps && gaps < steady*float64(middle(s.gaps)):
		s.verdict = closed
	case steps*2 < gaps, slope < -0.5 && slope+2*err < -0.2:
		s.verdict = open
	case waker == event.WakerInterrupt && s.round():
		s.likely = open
	}
}

// irregular is true if the pauses differ much. Who asks or sleeps in a loop pauses for as
// long each time; who pauses for ever other times waits for what is due, or asks for many.
// If how long the work took tells whether the pause came after it, that decides.
func (s *stream) irregular() bool {
	if quartiles(s.gaps) < irregularFrom*float64(middle(s.gaps)) {
		return false
	}
	slope, err := s.slope()
	return err > halfway || slope < -halfway
}

// halfway between a loop's slope, 0, and that of what comes at its time, -1.
const halfway = 0.5

// irregularFrom is the part of a pause that the quartiles of irregular ones lie apart.
const irregularFrom = 0.3

// steady is the part of a pause that the quartiles of a steady one lie within.
const steady = 0.7

// round is true if the steps are always the same and whole milliseconds: a period
// that somebody wrote down, and not a pause and some work.
func (s *stream) round() bool {
	const millisecond, exact = 1_000_000, 20_000
	step := middle(s.steps)
	off := (step + millisecond/2) % millisecond
	return quartiles(s.steps) < float64(step)/10 && off > millisecond/2-exact && off < millisecond/2+exact
}

func clockNanosleep(nr int32) bool { return nr == 230 || nr == 115 }

func middle(values []int64) int64 {
	v := sorted(values)
	return v[len(v)/2]
}

// onGrid is true if the wakes come at multiples of a period, however long what
// went before took. A closed loop's steps vary with what it does.
func (w *workload) onGrid(s *stream) bool {
	period := low(s.steps)
	if period < 1_000_000 {
		return false
	}
	near := 0
	var sum float64
	var n int64
	for range 2 { // the first period is that of one step, the second the mean's
		near, sum, n = 0, 0, 0
		for _, d := range s.steps {
			k := math.Round(float64(d) / float64(period))
			if k >= 1 && math.Abs(float64(d)/float64(period)-k) < onGrid*math.Sqrt(k) {
				near++
				sum += float64(d)
				n += int64(k)
			}
		}
		if n == 0 {
			return false
		}
		period = int64(sum / float64(n))
	}
	if float64(near) < gridShare*float64(len(s.steps)) {
		return false
	}
	s.period = period
	s.drops = w.drops(s)
	return w.proved(s)
}

// proved is true if the grid is more than a loop whose work and pauses are always
// the same: the pauses vary while the steps do not.
func (w *workload) proved(s *stream) bool {
	var residues []int64
	for _, d := range s.steps {
		k := int64(math.Round(float64(d) / float64(s.period)))
		residues = append(residues, d-k*s.period)
	}
	return quartiles(residues)*2 < quartiles(s.gaps)
}

// drops is true if the activations before a step of several periods did not do the
// work of several.
func (w *workload) drops(s *stream) bool {
	var one, many []int64
	var extra float64
	for k, d := range s.steps {
		c := w.acts[s.acts[k]].cpu
		if n := math.Round(float64(d) / float64(s.period)); n > 1 {
			many = append(many, c)
			extra += n - 1
		} else {
			one = append(one, c)
		}
	}
	if len(many) == 0 || len(one) < few {
		return false
	}
	excess := mean(many) - mean(one)
	return excess*float64(len(many)) < 0.5*mean(one)*extra
}

// slope of the gaps over how long the activation before took, and its standard
// error: 0 if the pause follows the end whenever that is, -1 if the wake comes at
// its time anyway.
func (s *stream) slope() (slope, err float64) {
	var x, y, xx, xy, yy, n float64
	for k, g := range s.gaps {
		if g < 0 {
			continue
		}
		d, g := float64(s.steps[k]-g), float64(g)
		x, y, n = x+d, y+g, n+1
		xx, xy, yy = xx+d*d, xy+d*g, yy+g*g
	}
	v := xx - x*x/n
	if n < few || v <= 0 {
		return 0, 1
	}
	slope = (xy - x*y/n) / v
	rest := max(0, yy-y*y/n-slope*slope*v)
	return slope, math.Sqrt(rest / (n - 2) / v)
}

// quartiles is the distance between the quartiles, and not 0.
func quartiles(values []int64) float64 {
	v := sorted(values)
	const floor = 50_000 // ns: wakes are late by so much anyway
	return max(float64(v[len(v)*3/4]-v[len(v)/4]), floor)
}

// low is a step that is not longer than it need be: the lower decile.
func low(values []int64) int64 {
	v := sorted(values)
	return v[len(v)/4]
}

func sorted(values []int64) []int64 {
	v := slices.Clone(values)
	slices.Sort(v)
	return v
}

func mean(values []int64) float64 {
	var sum float64
	for _, v := range values {
		sum += float64(v)
	}
	return sum / float64(max(len(values), 1))
}
