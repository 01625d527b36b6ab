// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// recommendation says why it happened and what would help, from what was
// measured: never a fixed percentage.
func recommendation(s *scene, t Target, causes []v1alpha1.Cause, p *v1alpha1.Proposal) string {
	switch {
	case s.contention():
		return sentences(append(each(causes, s.causeInWords), requestInWords(s, p))...)
	case s.truth.ThrottledPeriods <= 0:
		return ""
	case s.truth.ThrottledAt == v1alpha1.ThrottledAtAncestor, s.bursts == nil:
		return byCounters(s.spec)
	}
	// In the order of their weight: the last may not fit. What was stolen is said with the
	// limit, which has it in it.
	why := each(slices.DeleteFunc(slices.Clone(causes), func(c v1alpha1.Cause) bool { return c == v1alpha1.CauseStolenByHypervisor }), s.causeInWords)
	if len(why) == 0 {
		why = append(why, "Why the limit struck the recording does not say: what arrived in any one period fits the quota.")
	}
	parts := []string{why[0]}
	if elsewhere := s.recordedElsewhere(); elsewhere != "" {
		parts = []string{"R" + elsewhere[1:] + ":", why[0]}
	}
	if s.servesNobody() {
		parts = append(parts, "Nobody was seen to wait for it.")
	}
	parts = append(parts, limitInAdvice(s, t, p), s.stolenInWords(p), burstInWords(p), requestInWords(s, p))
	return sentences(append(parts, why[1:]...)...)
}

func each(causes []v1alpha1.Cause, words func(v1alpha1.Cause) string) []string {
	var all []string
	for _, c := range causes {
		all = append(all, words(c))
	}
	return all
}

// sentences joins what fits the field: one that is cut in half says nothing.
func sentences(all ...string) string {
	text := ""
	for _, next := range all {
		joined := strings.TrimSpace(text + " " + next)
		if len([]rune(joined)) > maxText && text != "" {
			continue
		}
		text = joined
	}
	return text
}

func (s *scene) causeInWords(cause v1alpha1.Cause) string {
	name := plain(s.spec.ContainerName)
	switch cause {
	case v1alpha1.CauseLimitTooLow:
		return s.tooLowInWords(name)
	case v1alpha1.CauseTooManyThreads:
		return s.threadsInWords(name)
	case v1alpha1.CauseBurst:
		return s.peakInWords(name)
	case v1alpha1.CauseStolenByHypervisor:
		return fmt.Sprintf("The hypervisor took %s of CPU time from the node meanwhile (%s %% of %s CPUs): no resource of a pod changes that.",
			duration(s.bursts.StolenMicroseconds), oneDecimal(100*s.stolen()), count(s.bursts.CPUs))
	case v1alpha1.CauseRequestTooSmall:
		return fmt.Sprintf("Container %s used %s of CPU and waited for more; its weight is that of %s, and what is beyond that others may take.",
			name, millicores(s.average(s.bursts.CPUMicroseconds)), requestOrNone(s.bursts.RequestMillicores))
	case v1alpha1.CauseNoisyNeighbour:
		return s.neighbourAdvice(name)
	default:
		return ""
	}
}

// stolenInWords: what is proposed has the stolen time in it that the container was charged
// for, and has to: the quota pays for it as long as it is stolen. How much of the node's
// it was is not known, and a kernel with CONFIG_PARAVIRT_TIME_ACCOUNTING charges none.
func (s *scene) stolenInWords(p *v1alpha1.Proposal) string {
	if s.stolen() < stolenShare {
		return ""
	}
	text := fmt.Sprintf("The hypervisor took %s %% of %s CPUs' time, which most kernels charge to whoever ran",
		oneDecimal(100*s.stolen()), count(s.bursts.CPUs))
	if p != nil && p.LimitMillicores != nil {
		text += ": without it a lower limit may do"
	}
	return text + "."
}

func (s *scene) tooLowInWords(name string) string {
	limit, usage := millicores(s.limit), s.curve.usage()
	switch {
	case s.lowerBound:
		return fmt.Sprintf("Container %s was stopped nearly always: what it wants beyond its limit of %s is not known.", name, limit)
	case usage > s.limit:
		return fmt.Sprintf("Container %s would use %s of CPU on average, more than its limit of %s.", name, millicores(usage), limit)
	default:
		return fmt.Sprintf("Container %s used %s of CPU on average, all of its limit of %s.", name, millicores(s.average(s.bursts.CPUMicroseconds)), limit)
	}
}

func (s *scene) threadsInWords(name string) string {
	ready, threads := int64(0), s.bursts.Threads
	if s.truth.RunnableThreadsMax != nil {
		ready = *s.truth.RunnableThreadsMax
	}
	if s.contention() {
		return fmt.Sprintf("Threads of container %s wait for each other: up to %s of %s were ready at once on %s CPUs. %s",
			name, count(ready), count(threads), count(s.bursts.CPUs), s.threadSetting(s.bursts.CPUs))
	}
	return fmt.Sprintf("Container %s divides its work among %s of its %s threads: on %s CPUs they burn the quota of a limit of %s early in the period. %s",
		name, count(s.dividedAmong()), count(threads), count(s.bursts.CPUs), millicores(s.limit), s.threadSetting(wholeCPUs(s.limit)))
}

// threadSetting names what governs the number of threads that compute.
func (s *scene) threadSetting(cpus int64) string {
	switch s.bursts.Language {
	case languageGo:
		return fmt.Sprintf("Go: GOMAXPROCS=%s, which Go 1.25 and later derive from the limit (2 at least) unless it is set.", count(cpus))
	case languageJVM:
		return fmt.Sprintf("Java: -XX:ActiveProcessorCount=%s; a JVM sizes itself when it starts, not when the limit changes.", count(cpus))
	default:
		return fmt.Sprintf("Its own setting for threads or workers should say %s.", count(cpus))
	}
}

func (s *scene) peakInWords(name string) string {
	if float64(s.bursts.PeakCPUMicroseconds) <= s.quota() {
		return fmt.Sprintf("Container %s uses %s of CPU on average, within its limit of %s, and is stopped by peaks.",
			name, millicores(s.average(s.bursts.CPUMicroseconds)), millicores(s.limit))
	}
	return fmt.Sprintf("Container %s uses %s of CPU on average, within its limit of %s; its peaks do not fit: up to %s arrived in one period of %s, with a quota of %s.",
		name, millicores(s.average(s.bursts.CPUMicroseconds)), millicores(s.limit), duration(s.bursts.PeakCPUMicroseconds),
		exactDuration(s.period()), exactDuration(whole(s.quota())))
}

func (s *scene) neighbourAdvice(name string) string {
	top := s.neighbour()
	return fmt.Sprintf("Container %s got %s of CPU, less than its request of %s, and waited: most, as far as is known, for %s, for %s.",
		name, millicores(s.average(s.bursts.CPUMicroseconds)), millicores(s.bursts.RequestMillicores), neighbourInWords(top),
		duration(top.WaitMicroseconds))
}

func limitInAdvice(s *scene, t Target, p *v1alpha1.Proposal) string {
	switch {
	case len(s.curve) == 0:
		return "Which limit would hold it was not computed: no replay of a recording is there."
	case p == nil || p.LimitMillicores == nil:
		return keepLimit(s, t)
	case p.LowerBound:
		return fmt.Sprintf("Next step: a limit of %s. More may be needed, so let it be measured again there.", millicores(*p.LimitMillicores))
	case *p.LimitMillicores < s.limit:
		return fmt.Sprintf("A limit of %s would do as well, %s less: %s; the target is %s.", millicores(*p.LimitMillicores),
			millicores(s.limit-*p.LimitMillicores), predictedInWords(p.Predicted), t.inWords())
	}
	return fmt.Sprintf("A limit of %s meets the target (%s) in nine of ten windows like the recorded one; in that one: %s.",
		millicores(*p.LimitMillicores), t.inWords(), predictedInWords(p.Predicted))
}

func keepLimit(s *scene, t Target) string {
	best := s.bestLimit(t)
	switch {
	case s.limit <= 0:
		return ""
	case best == 0:
		return fmt.Sprintf("No limit up to %s meets the target (%s) in nine of ten windows like the recorded one.", millicores(s.curve.greatest()), t.inWords())
	case s.lowerBound:
		return "Its CPUs give no more than its limit already allows."
	default:
		return fmt.Sprintf("What was recorded meets the target (%s) with the limit of %s already.", t.inWords(), millicores(s.limit))
	}
}

func predictedInWords(p *v1alpha1.Predicted) string {
	if p == nil {
		return "not predicted"
	}
	return fmt.Sprintf("%s %% of periods throttled (%s to %s %%), p99 stall %s", p.ThrottledPercent,
		p.ThrottledPercentLow, p.ThrottledPercentHigh, duration(p.StallP99Microseconds))
}

// burstInWords names what would do without a higher limit.
func burstInWords(p *v1alpha1.Proposal) string {
	if p == nil || p.BurstMicroseconds == nil {
		return ""
	}
	return fmt.Sprintf("Or a burst of %s at %s (cpu.max.burst, cpu.cfs_burst_us of cgroup v1), for which Kubernetes has no field.",
		exactDuration(*p.BurstMicroseconds), millicores(p.CurrentLimitMillicores))
}

func requestInWords(s *scene, p *v1alpha1.Proposal) string {
	if p == nil || p.RequestMillicores == nil {
		return ""
	}
	text := fmt.Sprintf("A request of %s entitles it to what it wanted in its busiest %s, whatever others request",
		millicores(*p.RequestMillicores), exactDuration(s.period()))
	if wanted := s.wantedRequest(); *p.RequestMillicores == limitAfter(p) && *p.RequestMillicores < wanted {
		text = fmt.Sprintf("It wanted %s in its busiest %s; a request cannot exceed the limit, so one of %s is proposed",
			millicores(wanted), exactDuration(s.period()), millicores(*p.RequestMillicores))
	}
	if p.LowerBound {
		text += "; more may be needed, so let it be measured again there"
	}
	return text + "."
}
