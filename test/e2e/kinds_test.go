// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// idlesProcesses and idlesExecs are the counts of a workload that idles: a shell that became sleep.
const idlesProcesses, idlesExecs = 1, 2

// bornReady waits for the certificate of a pod that gets Ready at its first
// attempt, heard to its end.
func (s *scene) bornReady(p *corev1.Pod) *v1alpha1.PodBirthCertificate {
	s.t.Helper()
	return s.bornReadyWithin(p, patience)
}

func (s *scene) bornReadyWithin(p *corev1.Pod, limit time.Duration) *v1alpha1.PodBirthCertificate {
	s.t.Helper()
	c := s.bornAfterAll(p, limit)
	if c.Spec.FailedAttempts != 0 {
		s.t.Errorf("certificate %s: %d failed attempts", c.Name, c.Spec.FailedAttempts)
	}
	return c
}

// bornAfterAll is the same of a birth of which attempts may have failed.
func (s *scene) bornAfterAll(p *corev1.Pod, limit time.Duration) *v1alpha1.PodBirthCertificate {
	s.t.Helper()
	c := s.certificates.await(s.t, "about "+p.Name+", Ready and judged", limit, func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		o := seen.object
		return o.Spec.PodRef.UID == string(p.UID) && o.Spec.Outcome == v1alpha1.OutcomeReady &&
			!awaitsImages(o) && o.Status.ObservedGeneration == o.Generation
	}).object
	wantHeard(s.t, c, v1alpha1.OutcomeReady)
	wantOneCertificate(s.t, s, p)
	return c
}

// wantWorkload fails unless a container's program had these processes and execs.
func wantWorkload(t *testing.T, c *v1alpha1.PodBirthCertificate, container string, processes, execs int64) {
	t.Helper()
	if a := actorStats(c, v1alpha1.ActorWorkload, container); a.Processes != processes || a.Execs != execs || a.Syscalls == 0 {
		t.Errorf("certificate %s, workload of %s: %+v; want %d processes, %d execs", c.Name, container, a, processes, execs)
	}
}

// wantContainers fails unless the certificate has these containers, of these
// types, in this order, and no others.
func wantContainers(t *testing.T, c *v1alpha1.PodBirthCertificate, containers ...v1alpha1.ContainerMilestones) {
	t.Helper()
	got := c.Spec.Milestones.Containers
	for i, want := range containers {
		if i >= len(got) || got[i].Name != want.Name || got[i].Type != want.Type || got[i].EntrypointExec == nil {
			t.Errorf("certificate %s: containers %+v, want %+v", c.Name, got, containers)
			return
		}
	}
	if len(got) != len(containers) {
		t.Errorf("certificate %s: %d containers, want %d", c.Name, len(got), len(containers))
	}
}

// TestInitChain has three init containers, one after the other.
func TestInitChain(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	c := s.bornReady(s.create("chain", shell(idles), initContainer("one", "true"), initContainer("two", "true"), initContainer("three", "true")))
	wantContainers(t, c, v1alpha1.ContainerMilestones{Name: "one", Type: v1alpha1.ContainerInit},
		v1alpha1.ContainerMilestones{Name: "two", Type: v1alpha1.ContainerInit},
		v1alpha1.ContainerMilestones{Name: "three", Type: v1alpha1.ContainerInit},
		v1alpha1.ContainerMilestones{Name: app, Type: v1alpha1.ContainerApp})
	moments := map[string]*v1alpha1.Milestone{}
	for i, name := range []string{"one", "two", "three"} {
		m := milestonesOf(t, c, name)
		n := string(rune('1' + i))
		moments[n+"a created"], moments[n+"b executed"], moments[n+"c ended"] = m.Created, m.EntrypointExec, m.Ended
		wantWorkload(t, c, name, 1, 1)
	}
	moments["4 app created"] = milestonesOf(t, c, app).Created
	wantSequence(t, c, moments)
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)
}

// TestNativeSidecar has an init container that goes on, and a startup probe
// that the other container waits for.
func TestNativeSidecar(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	c := s.bornReady(s.create("accompanied", shell(idles), func(p *corev1.Pod) {
		always := corev1.ContainerRestartPolicyAlways
		beside := p.Spec.Containers[0]
		beside.Name, beside.RestartPolicy, beside.StartupProbe = "beside", &always, execProbe("true")
		p.Spec.InitContainers = []corev1.Container{beside}
	}))
	wantContainers(t, c, v1alpha1.ContainerMilestones{Name: "beside", Type: v1alpha1.ContainerSidecar},
		v1alpha1.ContainerMilestones{Name: app, Type: v1alpha1.ContainerApp})
	beside := milestonesOf(t, c, "beside")
	wantSequence(t, c, map[string]*v1alpha1.Milestone{"1": beside.EntrypointExec, "2": milestonesOf(t, c, app).Created})
	if beside.Started == nil || beside.Ended != nil {
		t.Errorf("the sidecar's milestones: %+v", beside)
	}
	wantWorkload(t, c, "beside", idlesProcesses, idlesExecs)
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)
}

// TestExecsDuringABirth runs commands in a container that is being born: a
// readiness probe's, and a person's. None of them is part of the birth.
func TestExecsDuringABirth(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("watched", shell(idles), func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe = execProbe("test", "-e", "/tmp/ready")
	})
	s.pods.await(t, "running", patience, func(seen sighting[*corev1.Pod]) bool {
		statuses := seen.object.Status.ContainerStatuses
		return len(statuses) == 1 && statuses[0].State.Running != nil
	})
	s.exec(pod, "sh", "-c", "ls / | cat; ls /bin | cat")
	s.exec(pod, "touch", "/tmp/ready")
	c := s.bornReady(pod)
	wantContainers(t, c, v1alpha1.ContainerMilestones{Name: app, Type: v1alpha1.ContainerApp})
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)
}

// TestDebuggingABirth adds an ephemeral container to a pod that is being born,
// and another one afterwards: neither is part of the birth.
func TestDebuggingABirth(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("debugged", shell(idles), func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe = execProbe("test", "-e", "/tmp/ready")
	})
	s.debug(pod, "while-born")
	s.exec(pod, "touch", "/tmp/ready")
	before := s.bornReady(pod)
	wantContainers(t, before, v1alpha1.ContainerMilestones{Name: app, Type: v1alpha1.ContainerApp})
	if got := actorNames(before); !slices.Equal(got, nginxActors) {
		t.Errorf("actors %q: those of an ephemeral container are none of the birth", got)
	}
	if n := before.Spec.KernelStats.CgroupsCreated; n != 3 {
		t.Errorf("%d cgroups created, want those of the pod, its sandbox and its container", n)
	}
	s.debug(pod, "afterwards")
	s.bornReady(s.create("sibling", shell(idles))) // bounds the wait
	wantUnchanged(t, s, before)
}

// TestShortJobs run to their end in a few milliseconds, one and then five at once.
func TestShortJobs(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	for _, size := range []int32{1, 5} {
		for _, c := range s.job("quick", command("true"), size) {
			if o := c.Spec.Outcome; o != v1alpha1.OutcomeRunning && o != v1alpha1.OutcomeReady || c.Spec.FailedAttempts != 0 {
				t.Errorf("certificate %s: outcome %s, %+v, %d failed attempts", c.Name, o, c.Spec.Failure, c.Spec.FailedAttempts)
			}
			wantHeard(t, c, c.Spec.Outcome)
			wantWorkload(t, c, app, 1, 1)
			m := milestonesOf(t, c, app)
			if m.EntrypointExec == nil || m.Ended == nil || m.Ended.OffsetMicroseconds < m.EntrypointExec.OffsetMicroseconds {
				t.Fatalf("certificate %s: milestones %+v", c.Name, m)
			}
			f.figures.add(t, "job: life of its container", "%d µs", m.Ended.OffsetMicroseconds-m.EntrypointExec.OffsetMicroseconds)
		}
	}
}

// TestDeletedWithItsSandboxInTheMaking deletes a pod as soon as its cgroup is there.
// Its network is refused, so that it cannot get Ready before that.
func TestDeletedWithItsSandboxInTheMaking(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	needsGatekeeper(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("cni-fails-hasty", shell(idles))
	eventually(t, "a cgroup of the pod", func() bool { return node.podCgroup(string(pod.UID)) != "" })
	s.delete(pod)
	c := s.certificate(pod).object
	if c.Spec.Outcome != v1alpha1.OutcomeFailed || c.Spec.Failure == nil || c.Spec.Milestones.Ready != nil {
		t.Fatalf("outcome %s, failure %+v; want Failed", c.Spec.Outcome, c.Spec.Failure)
	}
	t.Logf("failure %+v", c.Spec.Failure)
	s.pods.await(t, "gone", patience, func(seen sighting[*corev1.Pod]) bool { return seen.gone && seen.object.UID == pod.UID })
	s.bornReady(s.create("sibling", shell(idles)))
	wantOneCertificate(t, s, pod)
	wantAllAttributed(t, c)
}
