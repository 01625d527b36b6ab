// SPDX-License-Identifier: Apache-2.0

// Package counterfactual tells what a container's recorded bursts would have met
// at another CPU limit: it replays them through a model of the kernel's CFS
// bandwidth control (kernel/sched/fair.c). It is pure: a recording goes in, a
// curve comes out, the same one each time.
//
// A burst becomes a job, and something releases it: a time (arrivals from outside,
// timers), the progress of another job (a wake within the container), or the end of
// another job and a pause (a closed loop, the next piece of a long burst). Jobs run
// on model CPUs that draw slices from the pools of all levels, are charged at ticks,
// and stop where a level has nothing left.
//
// What is assumed, and where it shows:
//   - Others' use of an ancestor's quota, and of the CPUs, goes on as it was in the
//     recording. A busier or quieter neighbor moves the curve; where others took much,
//     the interval covers that they take nothing.
//   - A burst made even progress while it was held: where in it it woke others is
//     known only when it was not held.
//   - The order in which threads of the container run is that of their wakes, with
//     turns of the kernel's least length; weights and nice levels within it are not
//     modeled.
//   - CONFIG_HZ is 250 where neither the recording nor Config.Tick says otherwise.
//   - Whether a client waits for its answer is judged from its wakes (evidence.go,
//     stalls.go). Where they do not tell, the interval covers both.
package counterfactual

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Target is what a limit has to meet: less than ThrottledShare (0..1) of the
// active periods throttled, and less than StallP99 for 99 of 100 outside
// activations.
type Target struct {
	ThrottledShare float64
	StallP99       time.Duration
}

// Config of the replay. The zero value of a field stands for its default.
type Config struct {
	Target Target
	// Resamples of blocks of periods for the interval, at least 20.
	Resamples int
	// Seed of the resampling. The same seed gives the same interval.
	Seed uint64
	// Tick is the time between two scheduler ticks (1/CONFIG_HZ): a running thread's
	// time is charged no finer than this (task_tick_fair). 0: as the recording shows it,
	// or 4 ms.
	Tick time.Duration
	// Slice is what a CPU takes from the pool at once (sched_cfs_bandwidth_slice_us).
	Slice time.Duration
	// Horizon is how long a later measurement is, that the interval should contain.
	// 0: as long as the recording.
	Horizon time.Duration
	// MaxQuota (ns per period) is the most that Replay looks at; 0: what the CPUs can give.
	MaxQuota uint64
}

// DefaultConfig is the target that the documentation states, and the kernel's
// default slice (sched_cfs_bandwidth_slice_us=5000).
func DefaultConfig() Config {
	return Config{
		Target:    Target{ThrottledShare: 0.05, StallP99: 5 * time.Millisecond},
		Resamples: 200,
		Seed:      1,
		Slice:     5 * time.Millisecond,
	}
}

// withDefaults fills what was left at zero, the tick from the recording.
func (c Config) withDefaults(r event.Recording) Config {
	d := DefaultConfig()
	if c.Target == (Target{}) {
		c.Target = d.Target
	}
	if c.Resamples < 20 {
		c.Resamples = d.Resamples
	}
	if c.Tick <= 0 {
		c.Tick = tickOf(r)
	}
	if c.Slice <= 0 {
		c.Slice = d.Slice
	}
	return c
}

// Prediction is what the bursts meet at one limit.
type Prediction struct {
	// Quota of the container's own cgroup, nanoseconds per period; 0 is no limit.
	Quota uint64
	// Throttled is the share (0..1) of active periods that are throttled, at the
	// level where it is greatest. Low and High bound it: what a measurement as long
	// as Config.Horizon shows, in at least 95 of 100 cases.
	Throttled, Low, High float64
	// ThrottledP90 and StallP99P90 are what nine of ten windows like the recorded one
	// stay within; at least Throttled and StallP99.
	ThrottledP90 float64
	StallP99P90  time.Duration
	// Stall of outside activations: for how long a quota holds them, themselves or
	// in activations that they cause. StallP99High is an upper bound.
	StallP50, StallP99, StallP99High time.Duration
	// Usage in cores.
	Usage float64
	// Periods that were active in the replay, at that level.
	Periods int
}

// Meets is true if nine of ten windows like the recorded one stay below the target.
func (p Prediction) Meets(t Target) bool {
	return p.ThrottledP90 < t.ThrottledShare && p.StallP99P90 < t.StallP99
}

// Result is what Replay finds.
type Result struct {
	// Curve by quota, rising; at most 16 points.
	Curve []Prediction
	// Closed is the share (0..1) of the CPU time in bursts that follow the
	// container's own completions and move with them.
	Closed float64
	// LowerBound: throttled in nearly all periods, with work left over. What the
	// container wants beyond what it got is not known.
	LowerBound bool
	// Burst is the least cfs burst that meets the target at the present limit, if
	// BurstKnown. It is at most the quota: the kernel allows no more.
	Burst      time.Duration
	BurstKnown bool
	// Best is the index in Curve of the smallest limit at which nine of ten windows like
	// the recorded one meet the target, also at a little less; -1 if there is none.
	Best int
	// Bursts that were replayed.
	Bursts int
}

// Predict replays a recording with another quota (ns per period, 0: no limit) of
// the container's own cgroup. The pod's quota moves by the same difference.
func Predict(r event.Recording, quota uint64, c Config) Prediction {
	c = c.withDefaults(r)
	w := newWorkload(r, c)
	if w.span == 0 {
		return Prediction{Quota: quota, High: 1}
	}
	return w.predict(quota, ownBurst(r))
}
