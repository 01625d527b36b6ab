// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Certificate judges one birth against others of the same workload. The others
// may hold any certificates of the namespace, this one included; those that
// cannot be compared are passed over.
func Certificate(c *v1alpha1.PodBirthCertificate, others []v1alpha1.PodBirthCertificate, now time.Time) v1alpha1.PodBirthCertificateStatus {
	earlier := comparableBirths(c, others)
	comparison := compare(c, earlier)
	return v1alpha1.PodBirthCertificateStatus{
		ObservedGeneration: c.Generation,
		Insight:            clip(certificateInsight(&c.Spec, comparison)),
		Comparison:         comparison,
		Conditions:         certificateConditions(c, comparison, now),
	}
}

// CertificateJudged says whether the certificate has a verdict on its present
// generation. That verdict stays: siblings that are written or deleted later do
// not change what was known when the pod was born.
func CertificateJudged(c *v1alpha1.PodBirthCertificate) bool {
	return c.Status.ObservedGeneration == c.Generation && c.Status.Insight != ""
}

func certificateInsight(spec *v1alpha1.PodBirthCertificateSpec, comparison *v1alpha1.BirthComparison) string {
	text := outcomeInWords(spec) + longestPhaseInWords(spec) + comparisonInWords(spec, comparison)
	return text + incompleteInWords(spec) + "."
}

// incompleteInWords tells a birth that is under way from one of which something was
// missed. That it is under way is one of the sentences of what is missing.
func incompleteInWords(spec *v1alpha1.PodBirthCertificateSpec) string {
	if spec.Complete {
		return ""
	}
	text, expected := "", 0
	if spec.UnderWay {
		expected = 1
	}
	if spec.UnderWay && spec.Outcome == v1alpha1.OutcomeFailed {
		text = "; the kubelet keeps trying"
		if spec.FailedAttempts > 1 {
			text += ", " + count(int64(spec.FailedAttempts)) + " attempts have failed"
		}
	}
	if len(spec.Coverage.Missing) > expected || !spec.UnderWay {
		text += "; not all of it was heard"
	}
	return text
}

// attemptsInWords tells a birth that came through, or may, of what failed before, and
// of most of it at which step: it is where the time went.
func attemptsInWords(spec *v1alpha1.PodBirthCertificateSpec) string {
	if spec.FailedAttempts <= 0 {
		return ""
	}
	text := ", after 1 failed attempt"
	if spec.FailedAttempts > 1 {
		text = ", after " + count(int64(spec.FailedAttempts)) + " failed attempts"
	}
	if len(spec.Attempts) == 0 {
		return text
	}
	most := spec.Attempts[0]
	for _, a := range spec.Attempts[1:] {
		if a.Failed > most.Failed {
			most = a
		}
	}
	if most.Step != "" {
		text += " at " + plain(most.Step)
	}
	if most.Container != "" && most.Container != v1alpha1.SandboxContainer {
		text += " of container " + plain(most.Container)
	}
	if most.Reason != "" {
		text += " (" + plain(most.Reason) + ")"
	}
	if len(spec.Attempts) > 1 {
		text += " and elsewhere"
	}
	return text
}

func outcomeInWords(spec *v1alpha1.PodBirthCertificateSpec) string {
	took := duration(spec.KernelStats.DurationMicroseconds)
	switch spec.Outcome {
	case v1alpha1.OutcomeFailed:
		return failureInWords(spec.Failure, took)
	case v1alpha1.OutcomePending:
		return "Not born after " + took + syscallsInWords(spec) + attemptsInWords(spec) + ", and under way"
	case v1alpha1.OutcomeRunning:
		return "Running after " + took + syscallsInWords(spec) + attemptsInWords(spec) + ", Ready was not seen"
	default:
		return "Born in " + took + syscallsInWords(spec) + attemptsInWords(spec)
	}
}

// syscallsInWords is silent about a total of zero: no pod is born without
// system calls, so they were not heard.
func syscallsInWords(spec *v1alpha1.PodBirthCertificateSpec) string {
	switch total := spec.KernelStats.TotalSyscalls; {
	case total <= 0:
		return ""
	case total == 1:
		return " with 1 system call"
	default:
		return " with " + count(total) + " system calls"
	}
}

// longestPhaseInWords is silent about a birth that failed: where it died says more.
func longestPhaseInWords(spec *v1alpha1.PodBirthCertificateSpec) string {
	phase, took, what := longestPhase(spec.Phases)
	if phase == nil || spec.Outcome == v1alpha1.OutcomeFailed {
		return ""
	}
	text := fmt.Sprintf("; %s: %s, %s", what, phaseInWords(phase.Name, phase.Container, phase.Detail), duration(took))
	if total := spec.KernelStats.DurationMicroseconds; took <= total {
		text += fmt.Sprintf(" (%s %%)", fractionOfHundred(took, total))
	}
	return text + waitOfPhaseInWords(phase, took)
}

// mostOfPhase is the share from which a part of a phase stands for all of it.
const mostOfPhase = 0.9

// waitOfPhaseInWords tells how long a phase waited. That is known of the phase as a whole:
// of a part of it which is on the critical path it is not known what of it was waiting.
func waitOfPhaseInWords(phase *v1alpha1.Phase, took int64) string {
	wait := phase.WaitMicroseconds
	if wait == nil || *wait <= 0 {
		return ""
	}
	if share(took, phase.DurationMicroseconds) < mostOfPhase {
		return ", of a phase of " + duration(phase.DurationMicroseconds) + " that waited for " + duration(*wait) + waitInWords(phase.Waits)
	}
	return ", of which " + duration(min(*wait, took)) + " waiting" + waitInWords(phase.Waits)
}

// longestPhase is the phase with the greatest part of the critical path, and
// that part; without a critical path the one that took longest.
func longestPhase(phases []v1alpha1.Phase) (longest *v1alpha1.Phase, took int64, what string) {
	pick := func(length func(*v1alpha1.Phase) int64) {
		for i := range phases {
			if n := length(&phases[i]); n > took {
				longest, took = &phases[i], n
			}
		}
	}
	pick(func(p *v1alpha1.Phase) int64 { return min(p.CriticalMicroseconds, p.DurationMicroseconds) })
	if longest != nil {
		return longest, took, "longest on the critical path"
	}
	pick(func(p *v1alpha1.Phase) int64 { return p.DurationMicroseconds })
	return longest, took, "longest phase"
}

// waitInWords says what most of a phase's waiting was for, if one kind is most.
func waitInWords(w *v1alpha1.PhaseWaits) string {
	if w == nil {
		return ""
	}
	kinds := []struct {
		took  int64
		words string
	}{
		{w.RunnableMicroseconds, "for a CPU"}, {w.DiskMicroseconds, "for the disk"}, {w.LockMicroseconds, "for a lock"},
		{w.NetworkMicroseconds, "for the network"}, {w.MessageMicroseconds, "for a message of another process"},
		{w.ProcessMicroseconds, "for a child process"}, {w.TimerMicroseconds, "asleep for a set time"}, {w.OtherMicroseconds, ""},
	}
	most, sum := kinds[0], int64(0)
	for _, k := range kinds {
		sum = addSaturated(sum, k.took)
		if k.took > most.took {
			most = k
		}
	}
	if most.words == "" || share(most.took, sum) < mostOfWait {
		return ""
	}
	return ", most of it " + most.words
}

// mostOfWait is the share from which one kind of waiting is named.
const mostOfWait = 0.5

func phaseInWords(phase, container, detail string) string {
	words := plain(phase)
	if detail != "" {
		words += " " + plain(detail)
	}
	if container != "" {
		words += " of " + plain(container)
	}
	return words
}

func certificateConditions(c *v1alpha1.PodBirthCertificate, comparison *v1alpha1.BirthComparison, now time.Time) []metav1.Condition {
	set := newConditionSet(c.Status.Conditions, c.Generation, now)
	set.set(v1alpha1.ConditionAssessed, metav1.ConditionTrue, ReasonJudged, comparisonBasis(&c.Spec, comparison))
	return set.conditions
}

func comparisonBasis(spec *v1alpha1.PodBirthCertificateSpec, comparison *v1alpha1.BirthComparison) string {
	switch {
	case comparison != nil:
		return fmt.Sprintf("Compared with %s of the workload.", births(comparison.Births))
	case spec.WorkloadRef == nil:
		return "Not compared: the pod has no controller."
	case spec.Outcome == v1alpha1.OutcomeFailed:
		return "Not compared: a birth that failed has no duration to compare."
	case spec.Outcome == v1alpha1.OutcomePending:
		return "Not compared: the birth goes on."
	case !durationHeard(spec):
		return "Not compared: the beginning of the birth was not heard."
	default:
		return "Not compared: no earlier birth of the workload with the same outcome is on record."
	}
}
