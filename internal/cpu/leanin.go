// SPDX-License-Identifier: Apache-2.0

package cpu

import "time"

// Why a container is leaned in on.
type Why string

// The reasons.
const (
	WhyThrottled Why = "Throttled" // an episode of throttling is going on
	WhyChanged   Why = "Changed"   // its limit was changed: what came of it is measured
	WhyContended Why = "Contended" // the node is busy, and it may wait for a CPU
)

// LeanIn asks for one container's bursts.
type LeanIn struct {
	ContainerID string
	Why         Why
	// For is how long to listen, and AtMost for how long while few bursts are heard
	// (Over). AtMost is not less than For.
	For, AtMost time.Duration
}

// ServingEnough is how many bursts that serve somebody are enough of a recording: of a
// thousand, ten are beyond the 99th percentile.
const ServingEnough = 1000

// Over is true once enough was heard: after For, unless the container does something for
// somebody so rarely that a longer recording tells much more.
func (l LeanIn) Over(passed time.Duration, serving int) bool {
	few := serving > 0 && serving < ServingEnough
	return passed >= l.AtMost || passed >= l.For && !few
}
