// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Pods of one container whose specification asks for something special.

// TestHostNetwork has a pod that no CNI plugin serves.
func TestHostNetwork(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	c := s.bornReady(s.create("host", shell(idles), func(p *corev1.Pod) { p.Spec.HostNetwork = true }))
	if a := actorStats(c, v1alpha1.ActorCNI, ""); a.Processes != 0 || c.Spec.Milestones.NetworkReady != nil {
		t.Errorf("a pod in the node's network has CNI %+v and networkReady %+v", a, c.Spec.Milestones.NetworkReady)
	}
	if n := c.Spec.KernelStats.NamespacesCreated; n == nil || n.Network != 0 || n.Mount < 2 {
		t.Errorf("namespaces created: %+v; want no network", n)
	}
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)
}

// TestHostPID has a pod among the node's processes.
func TestHostPID(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	c := s.bornReady(s.create("visible", shell(idles), func(p *corev1.Pod) { p.Spec.HostPID = true }))
	if n := c.Spec.KernelStats.NamespacesCreated; n == nil || n.PID != 0 || n.Network != 1 {
		t.Errorf("namespaces created: %+v; want a network and no process ids", n)
	}
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)
}

// TestSharedProcessNamespace has two containers that see each other.
func TestSharedProcessNamespace(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	c := s.bornReady(s.create("shared", shell(idles), func(p *corev1.Pod) {
		share := true
		p.Spec.ShareProcessNamespace = &share
		second := p.Spec.Containers[0]
		second.Name = "second"
		p.Spec.Containers = append(p.Spec.Containers, second)
	}))
	if n := c.Spec.KernelStats.NamespacesCreated; n == nil || n.PID != 1 {
		t.Errorf("namespaces created: %+v; want one for the process ids of all", n)
	}
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)
	wantWorkload(t, c, "second", idlesProcesses, idlesExecs)
}

// TestVolumes has one of each kind that needs nothing outside of the node.
func TestVolumes(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	secret := &corev1.Secret{StringData: map[string]string{"key": "value"}}
	secret.Name, secret.Namespace = "secret", s.namespace
	if err := f.client.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	plain := s.bornReady(s.create("volumeless", shell(idles)))
	c := s.bornReady(s.create("loaded", shell(idles),
		volume("/empty", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}),
		volume("/memory", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}),
		s.files("/files", map[string][]byte{"a": []byte("b")}),
		volume("/secret", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "secret"}}),
		volume("/projected", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "secret"}}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
				{Path: "name", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}},
			}}},
		}}})))
	few, many := plain.Spec.KernelStats.Mounts, c.Spec.KernelStats.Mounts
	if few == nil || many == nil || *many < *few+5 {
		t.Errorf("%v mounts with five volumes, %v without", many, few)
	}
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)
}

// TestAnotherUser has a program that does not run as root.
func TestAnotherUser(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	c := s.bornReady(s.create("unprivileged", shell(idles), func(p *corev1.Pod) {
		user, no, yes := int64(1000), false, true
		p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
			RunAsUser: &user, RunAsNonRoot: &yes, AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
	}))
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)
}

// TestSeccomp has the runtime put a filter in force before the program begins.
func TestSeccomp(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	c := s.bornReady(s.create("filtered", shell(idles), func(p *corev1.Pod) {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	}))
	m := milestonesOf(t, c, app)
	wantSequence(t, c, map[string]*v1alpha1.Milestone{"1 created": m.Created, "2 seccompApplied": m.SeccompApplied, "3 entrypointExec": m.EntrypointExec})
	if plain := s.bornReady(s.create("unfiltered", shell(idles))); milestonesOf(t, plain, app).SeccompApplied != nil {
		t.Errorf("a filter was applied to a container that has none: %+v", milestonesOf(t, plain, app))
	}
}

// TestBirthUnderALimit is slowed by the container's own CPU limit, which its
// runtime's init is under already.
func TestBirthUnderALimit(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	c := s.bornReady(s.create("limited", shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; "+idles), cpuLimit("50m"), func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe = execProbe("true")
	}))
	var runnable int64
	for _, p := range c.Spec.Phases {
		if p.Waits != nil && p.Container == app {
			runnable += p.Waits.RunnableMicroseconds
		}
	}
	f.figures.add(t, "limit of 50m: its phases could have run and did not", "%d µs", runnable)
	if runnable == 0 {
		t.Errorf("phases %+v: nothing could have run and did not", c.Spec.Phases)
	}
}

// TestLongestNames has the longest names of a pod and of a namespace that the
// kubelet can make a log directory for, and the longest that the API allows.
func TestLongestNames(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := sceneIn(t, f, "kernel-gossip-e2e-"+strings.Repeat("n", 40)) // the API server cuts and adds five
	if len(s.namespace) != 63 {
		t.Fatalf("namespace %s has %d characters", s.namespace, len(s.namespace))
	}
	// <namespace>_<pod>_<uid> has to be a file name.
	c := s.bornReady(s.create(strings.Repeat("p", 255-63-36-2), shell(idles)))
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)
	longest := s.create(strings.Repeat("q", 253), shell(idles))
	s.fails(longest, ending{
		step: "Sandbox", actor: v1alpha1.ActorKubelet, reason: "FailedCreatePodSandBox", message: "file name too long",
		insight: []string{"sandbox", "file name too long"},
	})
}
