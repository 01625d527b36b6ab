// SPDX-License-Identifier: Apache-2.0

package cost

import "time"

// Step is how much gives way for the budget's sake.
type Step int

// The steps. Each has what those before it have.
const (
	Normal    Step = iota
	Shortened      // lean-ins are shortened
	Refused        // no lean-in begins
	Slow           // intervals are twice as long
	Slowest        // intervals are four times as long
)

var stepNames = [...]string{"normal", "lean-ins-shortened", "lean-ins-refused", "intervals-doubled", "intervals-quadrupled"}

// Steps are all of them.
func Steps() []Step { return []Step{Normal, Shortened, Refused, Slow, Slowest} }

func (s Step) String() string { return stepNames[s] }

// Level is 0 while nothing gives way, 1 while lean-ins are shortened, 2 while they
// are refused, and 3 while intervals are longer as well.
func (s Step) Level() int { return int(min(s, Slow)) }

// Slowdown is how many times as long intervals are: 1, 2 or 4.
func (s Step) Slowdown() int {
	switch s {
	case Slow:
		return 2
	case Slowest:
		return 4
	}
	return 1
}

// The account holds at most five minutes of the budget, and owes at most three.
const (
	accountHolds = 5 * time.Minute
	accountOwes  = 3 * time.Minute
)

// threshold is at what balance (a time of the budget) a step is taken, and above
// which it is taken back. They lie apart, so that a step stays for a while.
type threshold struct{ below, above time.Duration }

// thresholds of Shortened and those after it.
var thresholds = [...]threshold{
	{60 * time.Second, 90 * time.Second},
	{0, 15 * time.Second},
	{-60 * time.Second, -30 * time.Second},
	{-120 * time.Second, -90 * time.Second},
}

// Governor decides what gives way, from an account that the budget flows into and
// that everything is paid from. It is pure, and not safe for concurrent use.
type Governor struct {
	budget  float64
	balance float64 // seconds of CPU time
	step    Step
	taken   map[Step]uint64
}

// NewGovernor makes a governor for a share of one core. With 0 nothing ever gives
// way. The account is full at first.
func NewGovernor(budget float64) *Governor {
	return &Governor{budget: budget, balance: budget * accountHolds.Seconds(), taken: map[Step]uint64{}}
}

// Spend takes that CPU time was spent while time passed, and returns the step
// from now on.
func (g *Governor) Spend(spent, elapsed time.Duration) Step {
	if g.budget <= 0 {
		return Normal
	}
	g.balance += g.budget*elapsed.Seconds() - spent.Seconds()
	g.balance = max(-g.budget*accountOwes.Seconds(), min(g.balance, g.budget*accountHolds.Seconds()))
	was := g.step
	for g.step < Slowest && g.balance < g.worth(thresholds[g.step].below) {
		g.step++
	}
	for g.step > Normal && g.balance > g.worth(thresholds[g.step-1].above) {
		g.step--
	}
	if g.step != was {
		g.taken[g.step]++
	}
	return g.step
}

// worth is how much CPU time flows in within a time.
func (g *Governor) worth(of time.Duration) float64 { return g.budget * of.Seconds() }

// Step that is in force.
func (g *Governor) Step() Step { return g.step }

// Balance of the account: what may be spent at once, or what is owed.
func (g *Governor) Balance() time.Duration {
	return time.Duration(g.balance * float64(time.Second))
}
