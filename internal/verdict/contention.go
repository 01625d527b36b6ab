// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// A weight is coarse (cpu.weight of cgroup v2 has steps of about 26m), so a
// request counts as used up from a tenth, or this much, below it; a small one from
// the half of it.
const (
	requestSlackShare = 10
	requestSlack      = 25 // millicores
)

// contentionCauses says why a container waits for a CPU that no quota keeps
// from it. It may be waiting for its own other threads. If it uses all that its
// request entitles it to and still waits, it wants more; if it gets less than that
// and waits, others are in its way. For how long it waited does not tell how
// much it wanted: a thread that waits a second may want a millisecond.
func contentionCauses(s *scene) []v1alpha1.Cause {
	if s.bursts == nil || s.bursts.QueuedMicroseconds <= 0 {
		return nil
	}
	var all []v1alpha1.Cause
	if s.stolen() >= stolenShare {
		all = append(all, v1alpha1.CauseStolenByHypervisor)
	}
	switch {
	case s.waitsForItself():
		all = append(all, v1alpha1.CauseTooManyThreads)
	case s.requestExceeded():
		// Most kernels charge stolen time to whoever ran (CONFIG_PARAVIRT_TIME_ACCOUNTING
		// is off): how much the container had itself cannot be told then.
		if s.stolen() < stolenShare {
			all = append(all, v1alpha1.CauseRequestTooSmall)
		}
	case s.neighbour() != nil:
		all = append(all, v1alpha1.CauseNoisyNeighbour)
	}
	return all
}

func (s *scene) requestExceeded() bool {
	request := s.bursts.RequestMillicores
	slack := max(request/requestSlackShare, min(requestSlack, request/2))
	return s.average(s.bursts.CPUMicroseconds) >= request-slack
}

// busiest (millicores) is what it used on average, or what the outside activations
// of its busiest period wanted, if that is more: at most what its CPUs can give.
func (s *scene) busiest() int64 {
	peak := whole(float64(max(s.bursts.PeakCPUMicroseconds, 0)) / float64(s.period()) * 1_000)
	return min(max(peak, s.average(s.bursts.CPUMicroseconds)), s.cpus())
}

// own are its own threads, and not those of another container of its pod.
func (s *scene) own(p v1alpha1.Preemptor) bool {
	return p.Container == "" && p.Pod != "" && p.Pod == s.spec.PodRef.Name && p.Namespace == s.namespace
}

// ownWait is the time for which its threads waited for each other.
func (s *scene) ownWait() int64 {
	sum := int64(0)
	for _, p := range s.bursts.Preemptors {
		if s.own(p) {
			sum = addSaturated(sum, p.WaitMicroseconds)
		}
	}
	return sum
}

// waitsForItself goes by the part of the wait of which it is known who ran.
func (s *scene) waitsForItself() bool {
	known := int64(0)
	for _, p := range s.bursts.Preemptors {
		known = addSaturated(known, p.WaitMicroseconds)
	}
	return s.ownWait() > 0 && s.ownWait() >= known/2
}

// Who else ran for longest while the container waited; nil if nobody did.
func (s *scene) neighbour() *v1alpha1.Preemptor {
	var top *v1alpha1.Preemptor
	for i := range s.bursts.Preemptors {
		p := &s.bursts.Preemptors[i]
		if !s.own(*p) && p.WaitMicroseconds > 0 && (top == nil || p.WaitMicroseconds > top.WaitMicroseconds) {
			top = p
		}
	}
	return top
}

func neighbourInWords(p *v1alpha1.Preemptor) string {
	switch {
	case p.Container != "":
		return "container " + plain(p.Container) + " of its own pod"
	case p.Pod != "" && p.Namespace != "":
		return "pod " + plain(p.Namespace) + "/" + plain(p.Pod)
	case p.Pod != "":
		return "pod " + plain(p.Pod)
	case p.Cgroup == "/":
		return "the node's own processes (cgroup /)"
	case p.Cgroup != "":
		return "cgroup " + plain(p.Cgroup)
	default:
		return "what is in no cgroup of its own"
	}
}

func requestOrNone(request int64) string {
	if request <= 0 {
		return "no request"
	}
	return "a request of " + millicores(request)
}

func contentionInsight(s *scene) string {
	name := plain(s.spec.ContainerName)
	if s.bursts == nil {
		return fmt.Sprintf("Container %s was ready to run and waited for a CPU; for how long was not recorded.", name)
	}
	text := fmt.Sprintf("Container %s was ready and waited for a CPU for %s (summed over threads) in %s, and ran for %s, though no limit held it",
		name, duration(s.bursts.QueuedMicroseconds), duration(s.recorded().Microseconds()), duration(s.bursts.CPUMicroseconds))
	if wait := s.truth.RunQueueWaitP99Microseconds; wait != nil && s.outside() > 0 {
		text += "; " + longestWait(s, *wait)
	}
	switch top := s.neighbour(); {
	case s.waitsForItself():
		text += "; what ran meanwhile were mostly its own threads, for " + duration(s.ownWait())
	case top != nil:
		text += fmt.Sprintf("; meanwhile %s ran for %s of that time", neighbourInWords(top), duration(top.WaitMicroseconds))
	}
	return text + "."
}

// longestWait words the 99th percentile. Those that have not ended are in it, of each
// thread one at most.
func longestWait(s *scene, p99 int64) string {
	if addSaturated(s.bursts.Activations, s.bursts.Threads) < hundred {
		return "the activation that waited longest did for " + duration(p99)
	}
	return fmt.Sprintf("one activation in a hundred waited for %s or longer", duration(p99))
}

func contentionEvidence(s *scene) string {
	if s.bursts == nil {
		return ""
	}
	text := fmt.Sprintf("sched_wakeup, sched_switch: ready and waiting %s, running %s in %s",
		duration(s.bursts.QueuedMicroseconds), duration(s.bursts.CPUMicroseconds), duration(s.recorded().Microseconds()))
	if wait := s.truth.RunQueueWaitP99Microseconds; wait != nil {
		text += ", p99 wait " + duration(*wait)
	}
	return text + fmt.Sprintf(", weight of %s, %s CPUs", requestOrNone(s.bursts.RequestMillicores), count(s.bursts.CPUs))
}

func contentionClaim(lie *v1alpha1.MetricsLie, s *scene) string {
	if s.bursts == nil {
		return ""
	}
	return fmt.Sprintf("%s; it counts the time on a CPU and not the wait for one, which was %s over all threads in %s.",
		s.metricInWords(lie), duration(s.bursts.QueuedMicroseconds), duration(s.recorded().Microseconds()))
}
