// SPDX-License-Identifier: Apache-2.0

package resize

import (
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

const (
	// margin by which throttling or stalls have to fall for a step to have helped.
	margin = 0.25
	// skew allowed between the operator's clock, which dates a step, and the node's,
	// which dates the change.
	skew = 5 * time.Second
	// grace in which a step shows in the pod; after it a pod that still has the old
	// limit was never resized.
	grace = time.Minute
	// leastQuota is the limit (millicores) of the smallest quota that the kernel takes
	// and the kubelet sets (MinQuotaPeriod).
	leastQuota = 10
	// leastStep is the least by which raising a limit is worth the change.
	leastStep = 1.1
)

// Decide says what to do about a whisper of a pod whose owner opted in. Before a
// limit is raised the decision has to be fitted to the node.
func Decide(s Situation, b Bounds) Decision {
	if !alive(s) {
		return Decision{}
	}
	limit := limitOf(s.Pod, s.Whisper.Spec.ContainerName)
	if step := s.Whisper.Status.ResizeStep; step != nil {
		if d, over := ownStep(s, step, limit); over {
			return d
		}
		return furtherStep(s, step, limit, b)
	}
	if !wanted(s.Whisper) {
		return Decision{}
	}
	return nextStep(s, limit, b)
}

func alive(s Situation) bool {
	phase := s.Pod.Status.Phase
	return string(s.Pod.UID) == s.Whisper.Spec.PodRef.UID && s.Pod.DeletionTimestamp == nil &&
		phase != corev1.PodSucceeded && phase != corev1.PodFailed
}

// ownStep looks after a step that was made on account of this whisper, until it
// is known to have helped; over is false from then on.
func ownStep(s Situation, step *v1alpha1.ResizeStep, limit int64) (d Decision, over bool) {
	made := fmt.Sprintf("the limit of container %s was raised from %dm to %dm at %s", s.Whisper.Spec.ContainerName,
		step.FromMillicores, step.ToMillicores, step.Time.UTC().Format(time.RFC3339))
	outcome := outcomeOf(s.Whisper, step)
	switch {
	case step.BackedOutTime != nil && limit == step.ToMillicores && s.Ours: // that was not carried out
		return backOut(s, step, fmt.Sprintf("It did not help that %s.", made)), true
	case step.BackedOutTime != nil:
		return refused(ReasonBackedOut, fmt.Sprintf("It did not help that %s; %dm was restored, and the container is left alone.", made, step.FromMillicores)), true
	case limit == step.FromMillicores && s.Now.Sub(step.Time.Time) >= grace && outcome == nil:
		return Decision{}, false // it was not carried out
	case limit != step.ToMillicores && s.Now.Sub(step.Time.Time) >= grace:
		return refused(ReasonOvertaken, fmt.Sprintf("After %s, somebody else set it to %dm.", made, limit)), true
	case infeasible(s.Pod) && limit == step.ToMillicores:
		return backOut(s, step, fmt.Sprintf("The node cannot give what was asked for when %s.", made)), true
	case outcome == nil:
		return awaited(s, step, limit, made), true
	case !helped(step, outcome):
		return backOut(s, step, fmt.Sprintf("It did not help that %s: %s %% of periods were throttled before and %s %% after.",
			made, step.ThrottledPercentBefore, outcome.MeasuredThrottledPercent)), true
	}
	return Decision{}, false
}

// awaited is a step of which it is not known yet whether it helped.
func awaited(s Situation, step *v1alpha1.ResizeStep, limit int64, made string) Decision {
	d := done(ReasonRaised, fmt.Sprintf("%s; whether that helps is being measured.", upperFirst(made)))
	if limit == step.FromMillicores {
		d = refused(ReasonFailed, fmt.Sprintf("The limit of container %s was to be raised from %dm to %dm at %s; the pod does not have it yet.",
			s.Whisper.Spec.ContainerName, step.FromMillicores, step.ToMillicores, step.Time.UTC().Format(time.RFC3339)))
	}
	d.Again = max(0, grace-s.Now.Sub(step.Time.Time))
	return d
}

func backOut(s Situation, step *v1alpha1.ResizeStep, message string) Decision {
	d := refused(ReasonBackedOut, fmt.Sprintf("%s %dm was restored, and the container is left alone.", message, step.FromMillicores))
	d.Action, d.From, d.To, d.WithRequest = BackOut, step.ToMillicores, step.FromMillicores, guaranteed(s.Pod)
	return d
}

// furtherStep comes after one that helped, or that was not carried out.
func furtherStep(s Situation, step *v1alpha1.ResizeStep, limit int64, b Bounds) Decision {
	helped := done(ReasonHelped, fmt.Sprintf("The limit of container %s was raised from %dm to %dm, and that helped: %s %% of periods were throttled before.",
		s.Whisper.Spec.ContainerName, step.FromMillicores, step.ToMillicores, step.ThrottledPercentBefore))
	if outcomeOf(s.Whisper, step) == nil {
		helped = Decision{}
	}
	if !wanted(s.Whisper) {
		return helped
	}
	next := nextStep(s, limit, b)
	if next.Action == Nothing && helped.Reason != "" {
		helped.Again = next.Again
		return helped
	}
	return next
}

// nextStep is one step towards the proposal.
func nextStep(s Situation, limit int64, b Bounds) Decision {
	container := s.Whisper.Spec.ContainerName
	if d, wait := heldByKin(s, limit, b); wait {
		return d
	}
	p := s.Whisper.Status.Proposal
	if problem := notInPlace(s.Pod, container); problem != "" {
		return refused(ReasonNotInPlace, problem)
	}
	if limit != p.CurrentLimitMillicores {
		return refused(ReasonOvertaken, fmt.Sprintf("The proposal is for a limit of %dm, and container %s has %dm now.", p.CurrentLimitMillicores, container, limit))
	}
	if counted := verdict.CountedAt(&s.Whisper.Spec.KernelTruth); counted != 0 && counted != max(limit, leastQuota) {
		return refused(ReasonAwaitingMeasurement, fmt.Sprintf("The counters are of a limit of %dm yet, and container %s has %dm now.", counted, container, limit))
	}
	to := min(*p.LimitMillicores, int64(float64(limit)*b.Factor), b.CeilingMillicores)
	if float64(to) < leastStep*float64(limit) && to < *p.LimitMillicores {
		return refused(ReasonCeiling, fmt.Sprintf("The limit of container %s is %dm; the ceiling is %dm.", container, limit, b.CeilingMillicores))
	}
	return raise(s, limit, to)
}

func raise(s Situation, from, to int64) Decision {
	d := done(ReasonRaised, fmt.Sprintf("The limit of container %s was raised from %dm to %dm at %s; whether that helps is being measured.",
		s.Whisper.Spec.ContainerName, from, to, s.Now.UTC().Format(time.RFC3339)))
	d.Action, d.From, d.To, d.WithRequest = Raise, from, to, guaranteed(s.Pod)
	return d
}

// heldByKin looks at the steps made on account of all whispers of the container.
func heldByKin(s Situation, limit int64, b Bounds) (d Decision, wait bool) {
	container := s.Whisper.Spec.ContainerName
	var last time.Time
	for i := range s.Kin {
		w := &s.Kin[i]
		step := w.Status.ResizeStep
		if step == nil || w.Spec.ContainerName != container || w.Spec.PodRef.UID != s.Whisper.Spec.PodRef.UID {
			continue
		}
		switch {
		case step.BackedOutTime != nil:
			return refused(ReasonBackedOut, fmt.Sprintf("A step was backed out of this container before (whisper %s): it is left alone.", w.Name)), true
		case w.Name != s.Whisper.Name && limit == step.ToMillicores && outcomeOf(w, step) == nil:
			return refused(ReasonAwaitingMeasurement, fmt.Sprintf("The step made on account of whisper %s is still being measured.", w.Name)), true
		case step.Time.After(last):
			last = step.Time.Time
		}
	}
	if until := last.Add(b.CoolDown); !last.IsZero() && s.Now.Before(until) {
		d := refused(ReasonCoolDown, fmt.Sprintf("The last step was at %s; the next may be at %s.", last.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339)))
		d.Again = until.Sub(s.Now)
		return d, true
	}
	return Decision{}, false
}

// outcomeOf is what was measured after a step, or nil.
func outcomeOf(w *v1alpha1.KernelWhisper, step *v1alpha1.ResizeStep) *v1alpha1.ChangeOutcome {
	o := w.Status.Outcome
	if o == nil || verdict.Unmeasured(o) || o.LimitMillicores != step.ToMillicores || o.Time.Add(skew).Before(step.Time.Time) {
		return nil
	}
	return o
}

// helped is true where the target is met, or throttling or stalls fell by the margin.
func helped(step *v1alpha1.ResizeStep, o *v1alpha1.ChangeOutcome) bool {
	before, errBefore := strconv.ParseFloat(step.ThrottledPercentBefore, 64)
	after, errAfter := strconv.ParseFloat(o.MeasuredThrottledPercent, 64)
	fell := errBefore == nil && errAfter == nil && before > 0 && after <= (1-margin)*before
	if a, b := step.StallP99MicrosecondsBefore, o.MeasuredStallP99Microseconds; a != nil && b != nil && *a > 0 {
		fell = fell || float64(*b) <= (1-margin)*float64(*a)
	}
	return o.TargetMet || fell
}

func upperFirst(s string) string { return "T" + s[1:] }
