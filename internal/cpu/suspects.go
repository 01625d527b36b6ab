// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"math"
	"time"
)

// Interest in a container's bursts.
type Interest struct {
	Why Why
	// Occasion tells one episode or one change from the next; 0 for what has none.
	Occasion uint64
	// For is how long to listen, AtMost for how long if little is heard; 0 is For.
	For, AtMost time.Duration
	// Situation of the container.
	Situation Situation
}

// Situation is what has to stay as it is for the pause to grow.
type Situation struct {
	Quota uint64
	// Throttled share (0..1) of periods, Usage in millicores.
	Throttled float64
	Usage     int64
}

// likeThat is true while nothing worth a new recording has changed.
func (s Situation) likeThat(before Situation) bool {
	low, high := min(s.Usage, before.Usage), max(s.Usage, before.Usage)
	return s.Quota == before.Quota && math.Abs(s.Throttled-before.Throttled) < 0.2 && high < 2*low+10
}

const (
	// occasionPause is the least time from one lean-in on a container to the next,
	// though a new episode of it opens.
	occasionPause = 45 * time.Second
	// answerWithin is how much longer than it lasts a lean-in may take to answer.
	answerWithin = time.Minute
)

// suspect is what is kept of one container.
type suspect struct {
	interest Interest
	active   bool
	// due is when it may be leaned in on. urgent: it goes before those that wait.
	due    uint64
	urgent bool
	// last is when the latest lean-in ended, 0 if there was none; heard its
	// situation then, and pause the time to the next.
	last  uint64
	heard Situation
	pause time.Duration
	// answered is the occasion of the latest lean-in.
	answered uint64
	why      Why
	// refused is for when the latest lean-in that was refused had been due.
	refused uint64
}

func (x *suspect) rank() int {
	switch {
	case !x.urgent:
		return 0
	case x.interest.Why == WhyChanged:
		return 2
	}
	return 1
}

// Suspects decides on whom to lean in, and when. It is not safe for concurrent use.
type Suspects struct {
	config   Config
	all      map[string]*suspect
	underWay map[string]underWay
	// jumped: the latest to go was picked for its rank. The next is who has waited
	// longest.
	jumped bool
	// rest is until when no further one is listened to for contention: on a node
	// that is always busy there would be no end of it.
	rest uint64
	// restraint that is in force, and what it has kept from happening.
	restraint          Restraint
	shortened, refused uint64
}

// Restraint is how far lean-ins have to give way for the sake of a budget.
type Restraint int

// The restraints.
const (
	Unrestrained Restraint = iota
	Shortened              // lean-ins last a quarter, or as long as says anything
	Refused                // none begins
)

const (
	// shortenedBy is how many times shorter lean-ins are, shortestLeanIn the least
	// that says anything of stalls.
	shortenedBy    = 4
	shortestLeanIn = time.Second
)

// NewSuspects suspects nobody.
func NewSuspects(c Config) *Suspects {
	return &Suspects{config: c, all: map[string]*suspect{}, underWay: map[string]underWay{}}
}

// Suspect takes that there is an interest in a container. Told again it changes
// nothing, unless the interest is another.
func (s *Suspects) Suspect(id string, in Interest, now uint64) {
	x := s.all[id]
	if x == nil {
		x = &suspect{}
		s.all[id] = x
	}
	was, known := x.interest, x.active
	x.interest, x.active = in, true
	switch {
	case known && was.Why == in.Why && was.Occasion == in.Occasion:
		if x.last != 0 && x.pause > s.config.PauseFirst && !in.Situation.likeThat(x.heard) {
			x.pause = s.config.PauseFirst
			x.due = min(x.due, x.last+uint64(x.pause))
		}
	case in.Occasion != 0 && (in.Why != x.why || in.Occasion != x.answered):
		x.due, x.urgent = now, true
		if in.Why != WhyChanged && x.last != 0 {
			x.due = max(now, x.last+uint64(occasionPause))
		}
	case x.last != 0:
		x.due = x.last + uint64(x.pause)
	default:
		x.due = now
	}
}

// Clear takes that there is no interest any more. What was heard when is kept:
// who comes back does not come first.
func (s *Suspects) Clear(id string) {
	if x := s.all[id]; x != nil {
		x.active, x.urgent = false, false
		if x.last == 0 {
			delete(s.all, id)
		}
	}
}

// Waiting is true from the time that an occasion came up until its lean-in has
// ended.
func (s *Suspects) Waiting(id string) bool {
	x := s.all[id]
	return s.UnderWay(id) || s.config.LeanIn > 0 && s.restraint != Refused && x != nil && x.active && x.urgent
}

// Restrain sets how far lean-ins give way from now on. Those under way go on.
func (s *Suspects) Restrain(r Restraint) { s.restraint = r }

// Withheld is true while the container would be leaned in on, soon or now, if no
// restraint refused it.
func (s *Suspects) Withheld(id string) bool {
	return s.config.LeanIn > 0 && s.restraint == Refused && !s.UnderWay(id)
}

// refuse counts those that are due, each once.
func (s *Suspects) refuse(now uint64) {
	for id, x := range s.all {
		if x.active && x.due <= now && x.refused != x.due && !s.UnderWay(id) {
			x.refused = x.due
			s.refused++
		}
	}
}

// Next are those to lean in on from now. Their end has to be told to Done.
func (s *Suspects) Next(now uint64) []LeanIn {
	for id, u := range s.underWay {
		if now > u.until {
			s.Done(id, now)
		}
	}
	var next []LeanIn
	if s.config.LeanIn > 0 && s.restraint == Refused {
		s.refuse(now)
		return nil
	}
	for s.config.LeanIn > 0 && len(s.underWay) < s.config.LeanInsMax {
		id, x := s.first(now)
		if x == nil {
			break
		}
		s.jumped = !s.jumped && x.urgent
		x.urgent, x.why, x.answered = false, x.interest.Why, x.interest.Occasion
		l := LeanIn{ContainerID: id, Why: x.interest.Why, For: s.length(x.interest.For)}
		l.AtMost = max(l.For, s.scaled(x.interest.AtMost))
		s.underWay[id] = underWay{LeanIn: l, until: now + uint64(l.AtMost+answerWithin)}
		next = append(next, l)
	}
	return next
}

// length of a lean-in that is wanted for so long.
func (s *Suspects) length(wanted time.Duration) time.Duration {
	if s.restraint == Shortened && wanted > shortestLeanIn {
		s.shortened++
	}
	return s.scaled(wanted)
}

// scaled is a length under the restraint that is in force.
func (s *Suspects) scaled(wanted time.Duration) time.Duration {
	if s.restraint != Shortened || wanted <= shortestLeanIn {
		return wanted
	}
	return max(wanted/shortenedBy, shortestLeanIn)
}

// first is who goes first of those that are due: a change before the opening of
// an episode, and that before the rest. But every second time it is who has been
// due for longest, so that nobody waits for ever.
func (s *Suspects) first(now uint64) (string, *suspect) {
	var id string
	var best *suspect
	before := func(a, b *suspect, aid, bid string) bool {
		if x, y := a.rank(), b.rank(); x != y && !s.jumped {
			return x > y
		}
		return a.due < b.due || a.due == b.due && aid < bid
	}
	for other, x := range s.all {
		if !x.active || x.due > now || s.UnderWay(other) || x.interest.Why == WhyContended && s.resting(now) {
			continue
		}
		if best == nil || before(x, best, other, id) {
			id, best = other, x
		}
	}
	return id, best
}

// resting is true while somebody is listened to for contention, and for as long
// afterwards.
func (s *Suspects) resting(now uint64) bool {
	for _, u := range s.underWay {
		if u.Why == WhyContended {
			return true
		}
	}
	return now < s.rest
}

// Done takes that a lean-in has ended, whatever came of it.
func (s *Suspects) Done(id string, now uint64) {
	if u, ok := s.underWay[id]; ok && u.Why == WhyContended {
		s.rest = now + uint64(u.For)
	}
	delete(s.underWay, id)
	x := s.all[id]
	if x == nil {
		return
	}
	switch {
	case x.last == 0 || !x.interest.Situation.likeThat(x.heard):
		x.pause = s.config.PauseFirst
	default:
		x.pause = min(2*x.pause, s.config.PauseMax)
	}
	x.last, x.heard = now, x.interest.Situation
	if !x.urgent {
		x.due = now + uint64(x.pause)
	}
}
