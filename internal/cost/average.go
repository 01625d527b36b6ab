// SPDX-License-Identifier: Apache-2.0

package cost

import "time"

const (
	// averageOver is the time that the moving average is of.
	averageOver = time.Minute
	// averageFrom is how much of it must have passed for there to be one.
	averageFrom = 5 * time.Second
)

// average is a moving average of what was spent per time.
type average struct {
	spends         []spend
	spent, elapsed time.Duration
}

type spend struct{ spent, elapsed time.Duration }

// add takes that so much was spent while time passed. Of the oldest, whatever is
// not needed to cover averageOver is dropped: there are as many as times it was
// told within it.
func (a *average) add(spent, elapsed time.Duration) {
	if elapsed <= 0 {
		return
	}
	a.spends = append(a.spends, spend{spent, elapsed})
	a.spent, a.elapsed = a.spent+spent, a.elapsed+elapsed
	for first := a.spends[0]; a.elapsed-first.elapsed >= averageOver; first = a.spends[0] {
		a.spent, a.elapsed = a.spent-first.spent, a.elapsed-first.elapsed
		a.spends = a.spends[1:]
	}
}

// share of one core, and whether it is known.
func (a *average) share() (float64, bool) {
	if a.elapsed < averageFrom {
		return 0, false
	}
	return float64(a.spent) / float64(a.elapsed), true
}
