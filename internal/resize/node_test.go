// SPDX-License-Identifier: Apache-2.0

package resize_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/internal/resize"
)

func requesting(phase corev1.PodPhase, quantities ...string) corev1.Pod {
	p := corev1.Pod{Status: corev1.PodStatus{Phase: phase}}
	for _, q := range quantities {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Resources: corev1.ResourceRequirements{Requests: cpu(q)}})
	}
	return p
}

// What the scheduler counts is what is taken.
func TestNodeOf(t *testing.T) {
	node := &corev1.Node{Status: corev1.NodeStatus{Allocatable: cpu("4")}}
	pod := situation().Pod
	starting := requesting(corev1.PodPending, "100m")
	starting.Spec.InitContainers = []corev1.Container{
		{RestartPolicy: ptr(corev1.ContainerRestartPolicyAlways), Resources: corev1.ResourceRequirements{Requests: cpu("50m")}},
		{Resources: corev1.ResourceRequirements{Requests: cpu("700m")}},
	}
	whole := requesting(corev1.PodRunning, "100m")
	whole.Spec.Resources = &corev1.ResourceRequirements{Requests: cpu("300m")}
	whole.Spec.Overhead = cpu("10m")
	pods := []corev1.Pod{*pod, requesting(corev1.PodRunning, "1", "200m"), requesting(corev1.PodSucceeded, "3"), starting, whole}
	got := resize.NodeOf(node, pods, pod, "app")
	if want := (resize.Node{Allocatable: 4_000, Requested: 1_200 + 750 + 310}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestFit(t *testing.T) {
	s := situation()
	step := resize.Decide(s, resize.DefaultBounds())
	tests := []struct {
		name      string
		requested int64
		action    resize.Action
		to        int64
		reason    string
	}{
		{"room", 1_000, resize.Raise, 800, resize.ReasonRaised},
		{"just enough", 2_800, resize.Raise, 800, resize.ReasonRaised},
		{"room for a part of it", 3_000, resize.Raise, 600, resize.ReasonRaised},
		{"room for too little", 3_060, resize.Nothing, 0, resize.ReasonNoHeadroom},
		{"overcommitted", 9_000, resize.Nothing, 0, resize.ReasonNoHeadroom},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := step.Fit(s, resize.Node{Allocatable: 4_000, Requested: tt.requested}, resize.DefaultBounds())
			if d.Action != tt.action || d.To != tt.to || d.Reason != tt.reason {
				t.Errorf("%+v, want action %d to %dm, reason %s", d, tt.action, tt.to, tt.reason)
			}
		})
	}
	none := resize.Decide(situation(func(s *resize.Situation) { s.Whisper.Status.Proposal = nil }), resize.DefaultBounds())
	if d := none.Fit(s, resize.Node{}, resize.DefaultBounds()); d != none {
		t.Errorf("%+v", d)
	}
}

func TestBounds(t *testing.T) {
	if err := resize.DefaultBounds().Validate(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*resize.Bounds){
		func(b *resize.Bounds) { b.Factor = 1 }, func(b *resize.Bounds) { b.CeilingMillicores = 0 },
		func(b *resize.Bounds) { b.HeadroomPercent = 101 }, func(b *resize.Bounds) { b.CoolDown = 0 },
	} {
		b := resize.DefaultBounds()
		change(&b)
		if b.Validate() == nil {
			t.Errorf("%+v is accepted", b)
		}
	}
}
