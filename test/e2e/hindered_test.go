// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Births whose program runs, and whose kubelet ends it.

// TestPostStartHookThatFails has the kubelet kill a container for its hook.
func TestPostStartHookThatFails(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("hooked", shell(idles), func(p *corev1.Pod) {
		p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{
			Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "exit 7"}},
		}}
	})
	want := ending{
		step: "PostStartHook", actor: v1alpha1.ActorKubelet, container: app, signal: "SIGKILL", reason: "PostStartHookError",
		message: "PostStartHook failed|exited with 7", attempts: 1, insight: []string{"container app", "postStart hook"},
	}
	s.fails(pod, want)
	s.ends(pod, want)
}

// TestStartupProbeThatFails has the kubelet kill a container that never says that it
// has started, and start it again.
func TestStartupProbeThatFails(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("slow", shell(idles), func(p *corev1.Pod) {
		probe := execProbe("false")
		probe.FailureThreshold = 1
		p.Spec.Containers[0].StartupProbe = probe
	})
	want := ending{
		step: "Readiness", actor: v1alpha1.ActorKubelet, container: app, signal: "SIGKILL", reason: "Unhealthy",
		message: "^Container app failed startup probe, will be restarted", attempts: 1, insight: []string{"container app", "failed startup probe"},
	}
	s.fails(pod, want)
	s.ends(pod, want)
}

// TestSidecarThatFails never lets the container begin that comes after it.
func TestSidecarThatFails(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("unaccompanied", shell(idles), func(p *corev1.Pod) {
		always := corev1.ContainerRestartPolicyAlways
		beside := p.Spec.Containers[0]
		beside.Name, beside.RestartPolicy, beside.Command = "beside", &always, []string{"/no/such/program"}
		p.Spec.InitContainers = []corev1.Container{beside}
	})
	want := ending{
		step: "Entrypoint", actor: v1alpha1.ActorRuntime, container: "beside", errno: "ENOENT", file: "/no/such/program",
		reason: "StartError|RunContainerError|CrashLoopBackOff", attempts: 1, insight: []string{"container beside", "no such file"},
	}
	c := s.fails(pod, want)
	if n := len(c.Spec.Milestones.Containers); n != 1 {
		t.Errorf("milestones of %d containers, want the sidecar's alone", n)
	}
	want.attempts = c.Spec.FailedAttempts
	s.ends(pod, want)
}
