// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"math/big"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Thresholds of causes.
const (
	// wholeLimit: a container that uses as much of its limit on average has no room
	// in it for anything that comes unevenly. What was recorded under a limit cannot
	// exceed it, so the demand is never seen above it by much.
	wholeLimit = 0.95
	// manyThreads: more than twice as many threads share the work as the limit has
	// CPUs, and manyThreadsLeast at least: two or three may do so by chance.
	manyThreads      = 2
	manyThreadsLeast = 4
	// spinShare of the CPU time in threads that never slept: they take what they get.
	spinShare = 0.50
	// wholeCPU (millicores) is what a thread that never sleeps would use.
	wholeCPU = 1_000
	// halfLimit: one that used less was not seen to want more, whatever a replay makes
	// of its pauses.
	halfLimit = 0.5
	// stolenShare of the CPUs' time: below, a hypervisor's own housekeeping.
	stolenShare = 0.10
	// queuedShare of the threads' ready time: less waiting for a CPU is usual.
	queuedShare = 0.10
)

// limitMillicores is the quota as a CPU limit; 0 where the period is not positive.
func limitMillicores(truth *v1alpha1.KernelTruth) int64 {
	if truth.PeriodMicroseconds <= 0 || truth.QuotaMicroseconds <= 0 {
		return 0
	}
	quota := new(big.Int).Mul(big.NewInt(truth.QuotaMicroseconds), big.NewInt(1_000))
	return clamp(new(big.Rat).SetFrac(quota, big.NewInt(truth.PeriodMicroseconds)))
}

// causes names what the evidence proves, the weightier first, at most two.
func causes(s *scene) []v1alpha1.Cause {
	var all []v1alpha1.Cause
	if s.contention() {
		all = contentionCauses(s)
	} else {
		all = throttlingCauses(s)
	}
	return all[:min(len(all), 2)]
}

func throttlingCauses(s *scene) []v1alpha1.Cause {
	switch {
	case s.truth.ThrottledPeriods <= 0:
		return nil
	case s.truth.ThrottledAt == v1alpha1.ThrottledAtAncestor:
		return append([]v1alpha1.Cause{v1alpha1.CauseAncestorLimit}, besides(s)...)
	case s.bursts == nil && demandExceedsLimit(s.truth):
		// An average demand below the limit has several explanations, which need the
		// shape of the bursts.
		return []v1alpha1.Cause{v1alpha1.CauseLimitTooLow}
	case s.bursts == nil:
		return nil
	}
	return append(ofOwnLimit(s), besides(s)...)
}

func demandExceedsLimit(truth *v1alpha1.KernelTruth) bool {
	limit := limitMillicores(truth)
	return limit > 0 && truth.DemandMillicores > limit
}

// ofOwnLimit tells apart why the limit of the container or its pod struck. On
// average the demand is above it or fits. If it fits, it comes in lumps: those
// of threads that divide one piece of work among more CPUs than the limit has,
// which fewer threads would smooth, or those of what arrives, which only a
// higher limit or a burst setting holds.
func ofOwnLimit(s *scene) []v1alpha1.Cause {
	const low, threads, burst = v1alpha1.CauseLimitTooLow, v1alpha1.CauseTooManyThreads, v1alpha1.CauseBurst
	exceeds, many, peak := s.wantsMore(), s.tooManyThreads(), s.peakExceeds()
	switch {
	case many && s.neverSlept() >= spinShare && exceeds:
		return []v1alpha1.Cause{threads, low}
	case many && s.neverSlept() >= spinShare:
		return []v1alpha1.Cause{threads}
	case exceeds && many:
		return []v1alpha1.Cause{low, threads}
	case exceeds:
		return []v1alpha1.Cause{low}
	case many && peak:
		return []v1alpha1.Cause{threads, burst}
	case many:
		return []v1alpha1.Cause{threads}
	case peak:
		return []v1alpha1.Cause{burst}
	default:
		return nil
	}
}

// wantsMore is true where the average demand reaches the limit.
func (s *scene) wantsMore() bool {
	if s.limit <= 0 {
		return false
	}
	demand := s.average(s.bursts.CPUMicroseconds)
	if float64(demand) >= halfLimit*float64(s.limit) {
		demand = max(demand, s.curve.usage())
	}
	if s.neverSlept() >= spinShare {
		demand = max(demand, min(wholeCPU, s.cpus())) // whatever it got beside others
	}
	return s.lowerBound || float64(demand) >= wholeLimit*float64(s.limit)
}

// peakExceeds is true where what arrived in one period did not fit its quota,
// or where a burst setting is known to make it fit.
func (s *scene) peakExceeds() bool {
	burst := s.burst()
	return s.limit > 0 && (float64(s.bursts.PeakCPUMicroseconds) > s.quota() || burst != nil && *burst > 0)
}

// burst is the burst setting (µs) that would meet the default target, if known.
func (s *scene) burst() *int64 {
	if s.spec.Counterfactual == nil {
		return nil
	}
	return s.spec.Counterfactual.BurstMicroseconds
}

// tooManyThreads is true where the container divides its work, or its loops, among
// more threads than the limit has CPUs, and more CPUs are there for them to burn it
// on. Threads that each another request woke are not counted, nor are those that
// hardly compute: a quota holds them all, so that many look ready.
func (s *scene) tooManyThreads() bool {
	n := s.dividedAmong()
	return s.limit > 0 && n >= manyThreadsLeast && n > manyThreads*wholeCPUs(s.limit) && s.cpus() > s.limit
}

// dividedAmong is how many threads share one piece of work.
func (s *scene) dividedAmong() int64 {
	if s.neverSlept() >= spinShare {
		return s.bursts.LoopingThreads
	}
	return s.bursts.ParallelThreads
}

// Languages whose runtime decides how many threads compute: Go's of all,
// Java's of those that collect garbage and compile, and of the common pool.
const (
	languageGo  = "Go"
	languageJVM = "JVM"
)

// wholeCPUs that a limit has, rounded up.
func wholeCPUs(millicores int64) int64 {
	n := millicores / 1_000
	if millicores%1_000 > 0 {
		n++
	}
	return max(n, 1)
}

// besides are causes that a quota has nothing to do with.
func besides(s *scene) []v1alpha1.Cause {
	if s.bursts == nil {
		return nil
	}
	b := s.bursts
	queued := share(b.QueuedMicroseconds, addSaturated(addSaturated(b.CPUMicroseconds, b.ParkedMicroseconds), b.QueuedMicroseconds))
	switch {
	case s.stolen() >= stolenShare:
		return []v1alpha1.Cause{v1alpha1.CauseStolenByHypervisor}
	case queued >= queuedShare && b.QueuedMicroseconds >= b.ParkedMicroseconds && !s.waitsForItself():
		return contentionCauses(s)
	default:
		return nil
	}
}
