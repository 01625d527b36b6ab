// SPDX-License-Identifier: Apache-2.0

package resize_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/resize"
)

var clock = time.Date(2026, 5, 4, 10, 0, 30, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

func micro(t time.Time) metav1.MicroTime { return metav1.NewMicroTime(t) }

// situation is a pod whose container has 500m, for which 800m are proposed.
func situation(change ...func(*resize.Situation)) resize.Situation {
	s := resize.Situation{
		Whisper: &v1alpha1.KernelWhisper{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-app-1"},
			Spec: v1alpha1.KernelWhisperSpec{
				PodRef: v1alpha1.PodReference{Name: "web", UID: "uid-1"}, ContainerName: "app", Reason: v1alpha1.ReasonCPUThrottling,
			},
			Status: v1alpha1.KernelWhisperStatus{
				Severity:   v1alpha1.SeverityCritical,
				Conditions: []metav1.Condition{{Type: v1alpha1.ConditionActive, Status: metav1.ConditionTrue}},
				Proposal:   &v1alpha1.Proposal{ContainerName: "app", CurrentLimitMillicores: 500, LimitMillicores: ptr[int64](800)},
			},
		},
		Pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-1"},
			Spec: corev1.PodSpec{NodeName: "node1", Containers: []corev1.Container{{
				Name: "app", Resources: corev1.ResourceRequirements{Limits: cpu("500m"), Requests: cpu("250m")},
			}}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, QOSClass: corev1.PodQOSBurstable},
		},
		Now: clock,
	}
	for _, c := range change {
		c(&s)
	}
	s.Kin = append(s.Kin, *s.Whisper)
	return s
}

func cpu(quantity string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(quantity)}
}

func limit(quantity string) func(*resize.Situation) {
	return func(s *resize.Situation) { s.Pod.Spec.Containers[0].Resources.Limits = cpu(quantity) }
}

// proposal of the whisper.
func proposal(from, to int64) func(*resize.Situation) {
	return func(s *resize.Situation) {
		s.Whisper.Status.Proposal.CurrentLimitMillicores, s.Whisper.Status.Proposal.LimitMillicores = from, &to
	}
}

// active is what the verdict says of whether the episode lasts.
func active(status metav1.ConditionStatus) func(*resize.Situation) {
	return func(s *resize.Situation) { s.Whisper.Status.Conditions[0].Status = status }
}

// stepped is a step from 250m to 500m that was made some time ago.
func stepped(ago time.Duration) func(*resize.Situation) {
	return func(s *resize.Situation) { s.Whisper.Status.ResizeStep = step(ago) }
}

func step(ago time.Duration) *v1alpha1.ResizeStep {
	return &v1alpha1.ResizeStep{
		Time: micro(clock.Add(-ago)), FromMillicores: 250, ToMillicores: 500,
		ThrottledPercentBefore: "60.0", StallP99MicrosecondsBefore: ptr[int64](200_000),
	}
}

// backedOut says that the way back was taken.
func backedOut(s *resize.Situation) {
	s.Whisper.Status.ResizeStep.BackedOutTime = ptr(micro(clock.Add(-time.Minute)))
}

// measured is the outcome of that step.
func measured(percent string, stall *int64) func(*resize.Situation) {
	return func(s *resize.Situation) {
		s.Whisper.Status.Outcome = &v1alpha1.ChangeOutcome{
			Time: micro(s.Whisper.Status.ResizeStep.Time.Add(time.Second)), LimitMillicores: 500,
			MeasuredThrottledPercent: percent, MeasuredPeriods: 90, MeasuredStallP99Microseconds: stall,
		}
	}
}

// kin adds another whisper of the same container.
func kin(change func(*v1alpha1.KernelWhisper)) func(*resize.Situation) {
	return func(s *resize.Situation) {
		w := s.Whisper.DeepCopy()
		w.Name, w.Status.ResizeStep, w.Status.Outcome = "web-app-0", nil, nil
		change(w)
		s.Kin = append(s.Kin, *w)
	}
}

func condition(kind corev1.PodConditionType, reason string) func(*resize.Situation) {
	return func(s *resize.Situation) {
		s.Pod.Status.Conditions = []corev1.PodCondition{{Type: kind, Status: corev1.ConditionTrue, Reason: reason}}
	}
}

func TestDecide(t *testing.T) {
	const raise, back, nothing = resize.Raise, resize.BackOut, resize.Nothing
	settled := func(s *resize.Situation) { s.Whisper.Status.Severity = v1alpha1.SeverityInfo }
	tests := []struct {
		name   string
		s      resize.Situation
		action resize.Action
		to     int64
		reason string
	}{
		{"one step", situation(), raise, 800, resize.ReasonRaised},
		{"twice the limit at most", situation(proposal(500, 3_000)), raise, 1_000, resize.ReasonRaised},
		{"up to the ceiling", situation(limit("3"), proposal(3_000, 5_000)), raise, 4_000, resize.ReasonRaised},
		{"at the ceiling", situation(limit("4"), proposal(4_000, 5_000)), nothing, 0, resize.ReasonCeiling},
		{"above the ceiling", situation(limit("6"), proposal(6_000, 7_000)), nothing, 0, resize.ReasonCeiling},

		{"nobody is hurt", situation(settled), nothing, 0, ""},
		{"the episode is over", situation(active(metav1.ConditionFalse)), nothing, 0, ""},
		{"the observer is silent, and nobody knows whether it lasts", situation(active(metav1.ConditionUnknown)), nothing, 0, ""},
		{"nothing is proposed", situation(func(s *resize.Situation) { s.Whisper.Status.Proposal = nil }), nothing, 0, ""},
		{"a limit is never lowered", situation(proposal(500, 300)), nothing, 0, ""},
		{"the proposal is for another limit", situation(limit("600m")), nothing, 0, resize.ReasonOvertaken},
		{"another pod of the name", situation(func(s *resize.Situation) { s.Pod.UID = "uid-2" }), nothing, 0, ""},
		{"the pod is being deleted", situation(func(s *resize.Situation) { s.Pod.DeletionTimestamp = ptr(metav1.NewTime(clock)) }), nothing, 0, ""},
		{"the pod is done", situation(func(s *resize.Situation) { s.Pod.Status.Phase = corev1.PodSucceeded }), nothing, 0, ""},

		{"it would be restarted", situation(func(s *resize.Situation) {
			s.Pod.Spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceCPU, RestartPolicy: corev1.RestartContainer}}
		}), nothing, 0, resize.ReasonNotInPlace},
		{"a static pod", situation(func(s *resize.Situation) { s.Pod.Annotations = map[string]string{"kubernetes.io/config.mirror": "x"} }), nothing, 0, resize.ReasonNotInPlace},
		{"no limit of its own", situation(func(s *resize.Situation) { s.Pod.Spec.Containers[0].Resources.Limits = nil }), nothing, 0, resize.ReasonNotInPlace},
		{"resources of the pod", situation(func(s *resize.Situation) { s.Pod.Spec.Resources = &corev1.ResourceRequirements{} }), nothing, 0, resize.ReasonNotInPlace},
		{"a resize under way", situation(condition(corev1.PodResizePending, corev1.PodReasonDeferred)), nothing, 0, resize.ReasonNotInPlace},

		{"a step just made", situation(stepped(time.Second)), nothing, 0, resize.ReasonRaised},
		{"a step that is being measured", situation(stepped(5 * time.Minute)), nothing, 0, resize.ReasonRaised},
		{"however long that takes", situation(stepped(24 * time.Hour)), nothing, 0, resize.ReasonRaised},
		{"a step after which nothing ran", situation(stepped(time.Hour), measured("0.0", nil), func(s *resize.Situation) {
			s.Whisper.Status.Outcome.MeasuredPeriods = 0
		}), nothing, 0, resize.ReasonRaised},
		{"a step that helped, and that is enough", situation(stepped(time.Hour), measured("4.0", nil), settled), nothing, 0, resize.ReasonHelped},
		{"a step that helped, and the next is too early", situation(stepped(time.Minute), measured("30.0", nil)), nothing, 0, resize.ReasonHelped},
		{"a step that helped, and the next", situation(stepped(11*time.Minute), measured("30.0", nil)), raise, 800, resize.ReasonRaised},
		{"it helped the stalls", situation(stepped(time.Hour), measured("59.0", ptr[int64](150_000)), settled), nothing, 0, resize.ReasonHelped},
		{"it helped, but not by the margin", situation(stepped(time.Minute), measured("45.1", ptr[int64](150_001))), back, 250, resize.ReasonBackedOut},
		{"it did not help", situation(stepped(time.Minute), measured("61.0", nil)), back, 250, resize.ReasonBackedOut},
		{"it did not help, and the episode is over", situation(stepped(time.Minute), measured("61.0", nil), active(metav1.ConditionFalse)), back, 250, resize.ReasonBackedOut},
		{"it did not help, and somebody went on from there", situation(stepped(time.Hour), measured("61.0", nil), limit("600m")), nothing, 0, resize.ReasonOvertaken},
		{"the node can never give it", situation(stepped(time.Minute), condition(corev1.PodResizePending, corev1.PodReasonInfeasible)), back, 250, resize.ReasonBackedOut},
		{"an outcome of another change", situation(stepped(time.Hour), measured("61.0", nil), func(s *resize.Situation) {
			s.Whisper.Status.Outcome.Time = micro(clock.Add(-2 * time.Hour))
		}), nothing, 0, resize.ReasonRaised},
		{"a step that was never carried out", situation(stepped(time.Hour), limit("250m"), proposal(250, 400)), raise, 400, resize.ReasonRaised},
		{"a step that was never carried out, and cool-down", situation(stepped(2*time.Minute), limit("250m"), proposal(250, 400)), nothing, 0, resize.ReasonCoolDown},
		{"a step that the pod does not have yet", situation(stepped(time.Second), limit("250m"), proposal(250, 400)), nothing, 0, resize.ReasonFailed},
		{"a way back that was never carried out", situation(stepped(time.Hour), backedOut, func(s *resize.Situation) { s.Ours = true }), back, 250, resize.ReasonBackedOut},
		{"somebody else set the limit that was backed out of", situation(stepped(time.Hour), backedOut), nothing, 0, resize.ReasonBackedOut},
		{"backed out before", situation(stepped(time.Hour), limit("250m"), proposal(250, 400), backedOut), nothing, 0, resize.ReasonBackedOut},

		{"an earlier episode's step, a moment ago", situation(kin(func(w *v1alpha1.KernelWhisper) {
			w.Status.ResizeStep = step(9 * time.Minute)
			w.Status.Outcome = &v1alpha1.ChangeOutcome{Time: w.Status.ResizeStep.Time, LimitMillicores: 500, MeasuredThrottledPercent: "0.0", MeasuredPeriods: 90}
		})), nothing, 0, resize.ReasonCoolDown},
		{"an earlier episode's step, long ago", situation(kin(func(w *v1alpha1.KernelWhisper) {
			w.Status.ResizeStep = step(10 * time.Minute)
			w.Status.Outcome = &v1alpha1.ChangeOutcome{Time: w.Status.ResizeStep.Time, LimitMillicores: 500, MeasuredThrottledPercent: "0.0", MeasuredPeriods: 90}
		})), raise, 800, resize.ReasonRaised},
		{"an earlier episode's step is being measured", situation(kin(func(w *v1alpha1.KernelWhisper) { w.Status.ResizeStep = step(time.Hour) })), nothing, 0, resize.ReasonAwaitingMeasurement},
		{"an earlier episode's step was backed out", situation(kin(func(w *v1alpha1.KernelWhisper) {
			w.Status.ResizeStep = step(time.Hour)
			w.Status.ResizeStep.BackedOutTime = ptr(micro(clock))
		})), nothing, 0, resize.ReasonBackedOut},
		{"another container's step", situation(kin(func(w *v1alpha1.KernelWhisper) {
			w.Spec.ContainerName, w.Status.ResizeStep = "sidecar", step(time.Minute)
		})), raise, 800, resize.ReasonRaised},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := resize.Decide(tt.s, resize.DefaultBounds())
			if d.Action != tt.action || d.Action != nothing && d.To != tt.to || d.Reason != tt.reason {
				t.Errorf("%+v, want action %d to %dm, reason %s", d, tt.action, tt.to, tt.reason)
			}
			if d.Action != nothing && d.WithRequest {
				t.Error("moves the request of a pod that is not Guaranteed")
			}
			if d.Reason != "" && !strings.HasSuffix(d.Message, ".") {
				t.Errorf("message %q", d.Message)
			}
		})
	}
}

// A decision on what has not changed must not read differently, or the operator
// would write for ever.
func TestDecisionIsStable(t *testing.T) {
	for name, change := range map[string][]func(*resize.Situation){
		"cool-down": {stepped(2 * time.Minute), limit("250m"), proposal(250, 400)},
		"measuring": {stepped(2 * time.Minute)},
		"helped":    {stepped(2 * time.Minute), measured("30.0", nil)},
	} {
		a := resize.Decide(situation(change...), resize.DefaultBounds())
		b := resize.Decide(situation(append(change, func(s *resize.Situation) { s.Now = s.Now.Add(time.Minute) })...), resize.DefaultBounds())
		if a.Message != b.Message || a.Reason != b.Reason {
			t.Errorf("%s: %q, a minute later %q", name, a.Message, b.Message)
		}
	}
}

func TestDecisionAgain(t *testing.T) {
	if d := resize.Decide(situation(stepped(4*time.Minute), measured("30.0", nil)), resize.DefaultBounds()); d.Again != 6*time.Minute {
		t.Errorf("again after %s, want the rest of the cool-down", d.Again)
	}
	if d := resize.Decide(situation(stepped(20*time.Second)), resize.DefaultBounds()); d.Again != 40*time.Second {
		t.Errorf("again after %s, want when a step has to show", d.Again)
	}
}

func TestGuaranteedPodKeepsItsClass(t *testing.T) {
	s := situation(func(s *resize.Situation) { s.Pod.Status.QOSClass = corev1.PodQOSGuaranteed })
	if d := resize.Decide(s, resize.DefaultBounds()); !d.WithRequest {
		t.Error("the request stays behind")
	}
}

func TestOptIn(t *testing.T) {
	tests := []struct {
		namespace, onNamespace, onPod string
		want                          bool
	}{
		{"shop", "", "", false},
		{"shop", "true", "", true},
		{"shop", "", "true", true},
		{"shop", "true", "false", false},
		{"shop", "false", "true", true},
		{"shop", "yes", "", false},
		{"shop", "true", "perhaps", false},
		{"kube-system", "true", "true", false},
	}
	for _, tt := range tests {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: tt.namespace}}
		namespace := &corev1.Namespace{}
		if tt.onPod != "" {
			pod.Annotations = map[string]string{v1alpha1.AnnotationAutoResize: tt.onPod}
		}
		if tt.onNamespace != "" {
			namespace.Annotations = map[string]string{v1alpha1.AnnotationAutoResize: tt.onNamespace}
		}
		if got := resize.OptedIn(pod, namespace, []string{"kube-system"}); got != tt.want {
			t.Errorf("%+v: opted in %t", tt, got)
		}
	}
}

func TestConcerns(t *testing.T) {
	if !resize.Concerns(situation().Whisper) || !resize.Concerns(situation(stepped(time.Hour), proposal(500, 400)).Whisper) {
		t.Error("passes over what needs an action")
	}
	contention := situation(func(s *resize.Situation) { s.Whisper.Spec.Reason = v1alpha1.ReasonCPUContention }).Whisper
	info := situation(func(s *resize.Situation) { s.Whisper.Status.Severity = v1alpha1.SeverityInfo }).Whisper
	silent := situation(active(metav1.ConditionUnknown)).Whisper
	if resize.Concerns(silent) {
		t.Error("looks at an episode of which nobody knows whether it lasts")
	}
	if !resize.Concerns(situation(stepped(time.Hour), backedOut, active(metav1.ConditionFalse)).Whisper) {
		t.Error("passes over a way back that may not have been taken")
	}
	if resize.Concerns(contention) || resize.Concerns(info) {
		t.Error("looks at what needs none")
	}
}

// A factor below the least step would name the ceiling for what the factor forbids.
func TestBoundsHaveRoomForAStep(t *testing.T) {
	b := resize.DefaultBounds()
	for factor, want := range map[float64]bool{0.5: false, 1: false, 1.05: false, 1.1: true, 2: true, 100: true, 101: false} {
		if b.Factor = factor; (b.Validate() == nil) != want {
			t.Errorf("factor %g: %v", factor, b.Validate())
		}
	}
}

// Whether a step helped is held against the counters before it: they have to be of the
// limit that it begins at.
func TestNoStepBeforeTheCountersAreOfThePresentLimit(t *testing.T) {
	counted := func(quota int64, level v1alpha1.ThrottleLevel) func(*resize.Situation) {
		return func(s *resize.Situation) {
			s.Whisper.Spec.KernelTruth = v1alpha1.KernelTruth{QuotaMicroseconds: quota, PeriodMicroseconds: 100_000, ThrottledAt: level}
		}
	}
	for name, c := range map[string]struct {
		s    resize.Situation
		want resize.Action
	}{
		"of the present one":     {situation(counted(50_000, v1alpha1.ThrottledAtContainer)), resize.Raise},
		"of the one before":      {situation(counted(25_000, v1alpha1.ThrottledAtContainer)), resize.Nothing},
		"of the pod's":           {situation(counted(75_000, v1alpha1.ThrottledAtPod)), resize.Raise},
		"of the smallest quota":  {situation(counted(1_000, v1alpha1.ThrottledAtContainer), limit("5m"), proposal(5, 8)), resize.Raise},
		"after a step that held": {situation(counted(25_000, v1alpha1.ThrottledAtContainer), stepped(time.Hour), measured("10.0", nil)), resize.Nothing},
	} {
		d := resize.Decide(c.s, resize.DefaultBounds())
		if d.Action != c.want {
			t.Errorf("%s: %+v", name, d)
		}
	}
}
