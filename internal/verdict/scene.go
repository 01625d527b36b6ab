// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"math"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// defaultPeriod (µs) is that of Kubernetes, the yardstick of a wait that no
// quota made.
const defaultPeriod = 100_000

// scene is a spec with the figures that several rules need.
type scene struct {
	namespace string
	spec      *v1alpha1.KernelWhisperSpec
	truth     *v1alpha1.KernelTruth
	// bursts is nil where nothing was recorded, or nothing ran in the recording.
	bursts *v1alpha1.Bursts
	// curve is empty where nothing was replayed.
	curve      curve
	lowerBound bool
	// limit (millicores) that the recording was made under: the container's own, or
	// without one that of the level that throttled; 0 where nothing limited it.
	limit int64
}

func newScene(w *v1alpha1.KernelWhisper) *scene {
	spec := &w.Spec
	s := &scene{namespace: w.Namespace, spec: spec, truth: &spec.KernelTruth}
	if b := spec.Bursts; b != nil && b.WindowMilliseconds > 0 && (b.Activations > 0 || b.CPUMicroseconds > 0) {
		s.bursts = b
	}
	if c := spec.Counterfactual; c != nil {
		s.curve, s.lowerBound = newCurve(c.Curve), c.LowerBound
	}
	s.limit = recordedLimit(spec)
	return s
}

func (s *scene) contention() bool { return s.spec.Reason == v1alpha1.ReasonCPUContention }

// period (µs) of the quota, or the usual one.
func (s *scene) period() int64 {
	if s.truth.PeriodMicroseconds > 0 {
		return s.truth.PeriodMicroseconds
	}
	return defaultPeriod
}

// quota (µs per period) that goes with limit.
func (s *scene) quota() float64 { return float64(s.limit) / 1_000 * float64(s.period()) }

// perSecond is a rate over the recording.
func (s *scene) perSecond(n int64) float64 {
	return float64(max(n, 0)) / float64(s.bursts.WindowMilliseconds) * 1_000
}

// average gives an amount of CPU time in the recording as millicores.
func (s *scene) average(microseconds int64) int64 {
	return rounded(max(microseconds, 0), s.bursts.WindowMilliseconds)
}

// cpus that the container's threads may use, in millicores; the largest number
// where that is not known.
func (s *scene) cpus() int64 {
	if s.bursts == nil || s.bursts.CPUs <= 0 || s.bursts.CPUs > math.MaxInt64/1_000 {
		return math.MaxInt64
	}
	return s.bursts.CPUs * 1_000
}

// neverSlept is the share (0..1) of the CPU time in threads that never waited.
func (s *scene) neverSlept() float64 {
	percent, _ := percentOf(s.bursts.NeverSleptPercent)
	return percent / 100
}

// outside activations: those that somebody waits for.
func (s *scene) outside() int64 { return max(s.bursts.OutsideActivations, 0) }

// stolen is the share (0..1) of the CPUs that the hypervisor took. The CPUs are
// those that the container may use; a cpuset makes the share too great, never
// too small.
func (s *scene) stolen() float64 {
	all := float64(s.bursts.WindowMilliseconds) * 1_000 * float64(max(s.bursts.CPUs, 1))
	return float64(max(s.bursts.StolenMicroseconds, 0)) / all
}

// recorded is the length of the recording.
func (s *scene) recorded() time.Duration {
	return time.Duration(min(s.bursts.WindowMilliseconds, math.MaxInt64/1_000_000)) * time.Millisecond
}
