// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/cost"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
)

// Cost keeps account of what the observer costs, and says what has to give way.
// Both are called by several goroutines.
type Cost interface {
	// Charge does the work and charges its CPU time to a part.
	Charge(part cost.Part, work func())
	// Tick takes what was under way since the last time, and returns the step that
	// is in force from now on.
	Tick(now time.Time, doing cost.Doing) cost.Step
}

// free costs nothing that anybody counts.
type free struct{}

func (free) Charge(_ cost.Part, work func())      { work() }
func (free) Tick(time.Time, cost.Doing) cost.Step { return cost.Normal }

// Restrain sets what gives way from now on. Of births nothing does, except how
// often they are looked after.
func (e *Engine) Restrain(s cost.Step) {
	e.step = s
	switch s {
	case cost.Normal:
		e.watch.Restrain(cpu.Unrestrained)
	case cost.Shortened:
		e.watch.Restrain(cpu.Shortened)
	default:
		e.watch.Restrain(cpu.Refused)
	}
}

// doing is what is under way.
func (e *Engine) doing() cost.Doing {
	return cost.Doing{Births: e.armedAt != 0, LeanIns: e.watch.Listening() > 0}
}

// atRest is true while nothing of a birth has to be looked after soon.
func (e *Engine) atRest() bool { return e.armedAt == 0 && e.book.Open() == 0 }

// pace is how often the engine looks after what has no event of its own.
type pace struct {
	births  *time.Ticker
	every   time.Duration
	seconds int
}

func newPace() *pace { return &pace{births: time.NewTicker(birthInterval), every: birthInterval} }

// afterglow is true after the last birth, while one that follows would still find the
// programs attached: all that has to be looked after is when they are to be detached.
func (e *Engine) afterglow() bool { return e.idleFrom != 0 && e.book.Open() == 0 }

// follow sets how often births are looked after: as the budget allows, and once a
// second while there are none.
func (p *pace) follow(e *Engine) {
	every := birthInterval * time.Duration(e.step.Slowdown())
	switch {
	case e.atRest():
		every = restInterval
	case e.afterglow():
		every = max(every, afterglowInterval)
	}
	if every != p.every {
		p.every = every
		p.births.Reset(every)
	}
}

// second passes a second: the counters are read, unless the budget leaves it out.
func (p *pace) second(e *Engine, in Inputs) {
	e.Restrain(in.Cost.Tick(time.Now(), e.doing()))
	p.seconds++
	if p.seconds%e.step.Slowdown() != 0 {
		e.stats.ReadingsSkipped++
		return
	}
	in.Cost.Charge(cost.PartSampling, func() {
		e.readNode(in.Node)
		e.Throttling(in.Now())
	})
}
