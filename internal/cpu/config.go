// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"strconv"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// Config of a Watch.
type Config struct {
	NodeName string
	// Window that a whisper's counters cover, once the episode is as old; up to
	// one interval between samples longer.
	Window time.Duration
	// OpenWithin, OpenPeriods and OpenPercent: an episode begins when within
	// OpenWithin at least OpenPeriods periods were throttled, and those were at
	// least OpenPercent of the active ones. The count keeps an idle agent that
	// is throttled once per wake-up quiet; the share keeps a busy one that is
	// hardly held.
	OpenWithin  time.Duration
	OpenPeriods uint32
	OpenPercent float64
	// Quiet is how long no period must be throttled for an episode to end.
	Quiet time.Duration
	// Repeat is when an episode that lasts is told again for the first time. Each
	// further time comes after twice as long, up to RepeatMax: ten thousand
	// containers that are always throttled must not keep the API server busy.
	Repeat, RepeatMax time.Duration
	// LeanIn is how long the bursts of a container that is throttled are listened
	// to, three times as long where few are heard (LeanIn.Over); 0 is never.
	// ContentionLeanIn is for those that may wait for a CPU.
	LeanIn, ContentionLeanIn time.Duration
	// LeanInsMax is on how many containers at a time.
	LeanInsMax int
	// PauseFirst is the time from one lean-in on a container to the next. It doubles
	// up to PauseMax while the situation stays as it is.
	PauseFirst, PauseMax time.Duration
	// Settle is the time after a change of a limit that is left out of what is
	// measured of it, MeasureFor how long is measured. A recording of that time is
	// waited for until MeasureMax has passed.
	Settle, MeasureFor, MeasureMax time.Duration
	// EndedMax bounds the ended episodes of which a change is still written, EndedFor
	// is for how long.
	EndedMax int
	EndedFor time.Duration
	// Wall turns the clock of samples (monotonic, ns) into wall time.
	Wall func(monotonic uint64) time.Time
	// Neighbor names the cgroup of whoever ran while a container waited.
	Neighbor Neighbor
	// Request is the CPU request (millicores) that a weight stands for.
	Request func(Container, event.Group) int64
	// Plan is how the kernel is heard now; nil: as well as any.
	Plan func() hooks.Plan
}

// LeanInLonger is how many times as long a container is listened to of which little is
// heard, for the limit that is computed from it: the greatest stall of thirty requests
// says little of the next thirty.
const LeanInLonger = 3

// missing is what this kernel does not let a whisper tell.
func (c *Config) missing() []string {
	if c.Plan == nil {
		return nil
	}
	return c.Plan().Loses(hooks.Bandwidth, hooks.Bursts)
}

// DefaultConfig has the thresholds that the documentation states. Wall has to be
// set.
func DefaultConfig() Config {
	return Config{
		Window:      15 * time.Second,
		OpenWithin:  5 * time.Second,
		OpenPeriods: 5,
		OpenPercent: 10,
		Quiet:       10 * time.Second,
		Repeat:      15 * time.Second,
		RepeatMax:   4 * time.Minute,

		LeanIn:           10 * time.Second,
		ContentionLeanIn: 3 * time.Second,
		LeanInsMax:       2,
		PauseFirst:       time.Minute,
		PauseMax:         8 * time.Minute,
		Settle:           2 * time.Second,
		MeasureFor:       20 * time.Second,
		MeasureMax:       45 * time.Second,
		EndedMax:         256,
		EndedFor:         time.Hour,

		Neighbor: func(cgroup uint64) v1alpha1.Preemptor {
			return v1alpha1.Preemptor{Cgroup: "cgroup " + strconv.FormatUint(cgroup, 10)}
		},
		Request: func(_ Container, g event.Group) int64 { return RequestOfShares(g.Shares) },
	}
}
