// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func command(args ...string) change {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Image = busyboxImage
		p.Spec.Containers[0].Command = args
	}
}

// TestDeletedInTheMiddleOfItsBirth deletes a pod while its init container runs.
func TestDeletedInTheMiddleOfItsBirth(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("unborn", shell(idles), func(p *corev1.Pod) {
		first := p.Spec.Containers[0]
		first.Name = "first"
		p.Spec.InitContainers = []corev1.Container{first}
	})
	s.pods.await(t, "running its init container", patience, func(seen sighting[*corev1.Pod]) bool {
		statuses := seen.object.Status.InitContainerStatuses
		return len(statuses) == 1 && statuses[0].State.Running != nil
	})
	s.delete(pod)
	c := s.certificate(pod).object
	if c.Spec.Outcome != v1alpha1.OutcomeFailed || c.Spec.Failure == nil {
		t.Fatalf("outcome %s, failure %+v; want Failed", c.Spec.Outcome, c.Spec.Failure)
	}
	if !strings.Contains(c.Spec.Failure.Message, "deleted") || c.Spec.Failure.Container != "first" {
		t.Errorf("failure %+v, want that the pod was deleted while container first ran", c.Spec.Failure)
	}
	if milestonesOf(t, c, "first").EntrypointExec == nil || c.Spec.Milestones.Ready != nil {
		t.Errorf("milestones %+v: want the init container's entrypoint, and not Ready", c.Spec.Milestones)
	}
}

// TestShortLife is over before anybody could look at it.
func TestShortLife(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("short", command("true"), func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyNever })
	c := s.certificate(pod).object
	if c.Spec.Outcome == v1alpha1.OutcomeFailed || milestonesOf(t, c, app).EntrypointExec == nil {
		t.Errorf("outcome %s, failure %+v, milestones %+v; want a birth with its entrypoint", c.Spec.Outcome, c.Spec.Failure, c.Spec.Milestones)
	}
	if a := actorStats(c, v1alpha1.ActorWorkload, app); a.Processes != 1 || a.Execs != 1 || a.Syscalls == 0 {
		t.Errorf("workload %+v, want one process and its system calls", a)
	}
	wantStory(t, c, "Workload EntrypointExec app", "Workload EntrypointExited app")
}

// TestOptOut expects nothing of a pod that does not want to be observed; the
// certificate of one that came later bounds the wait.
func TestOptOut(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	private := s.create("private", shell(idles), func(p *corev1.Pod) {
		p.Annotations = map[string]string{v1alpha1.AnnotationObserve: "false"}
	})
	s.ready(private)
	sibling := s.create("sibling", shell(idles))
	wantHeard(t, s.certificate(sibling).object, v1alpha1.OutcomeReady)
	if names := s.certificateNames(private); len(names) > 0 {
		t.Errorf("a pod that opted out has certificates %v", names)
	}
}

// TestLifeAfterBirth runs a command in a container and restarts it: neither is
// a birth, and neither changes the certificate.
func TestLifeAfterBirth(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("lively", shell("while [ ! -e /tmp/stop ]; do sleep 0.2; done; exit 1"))
	before := s.certificate(pod).object
	s.exec(pod, "true")
	s.exec(pod, "touch", "/tmp/stop")
	s.pods.await(t, "restarted and Ready", patience, func(seen sighting[*corev1.Pod]) bool {
		statuses := seen.object.Status.ContainerStatuses
		return len(statuses) == 1 && statuses[0].RestartCount > 0 && isReady(seen.object)
	})
	s.certificate(s.create("sibling", shell(idles)))
	after := &v1alpha1.PodBirthCertificate{}
	if err := f.client.Get(t.Context(), client.ObjectKeyFromObject(before), after); err != nil {
		t.Fatal(err)
	}
	if after.Generation != before.Generation || !equality.Semantic.DeepEqual(after.Spec, before.Spec) {
		t.Errorf("the certificate changed:\nbefore %+v\nafter  %+v", before.Spec, after.Spec)
	}
	if names := s.certificateNames(pod); len(names) != 1 {
		t.Errorf("certificates %v, want one", names)
	}
}

// TestSeveralContainers has two containers and an init container in one pod.
func TestSeveralContainers(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("family", shell(idles), func(p *corev1.Pod) {
		second, first := p.Spec.Containers[0], p.Spec.Containers[0]
		second.Name, first.Name = "second", "first"
		first.Command = []string{"true"}
		p.Spec.Containers = append(p.Spec.Containers, second)
		p.Spec.InitContainers = []corev1.Container{first}
	})
	c := s.certificate(pod).object
	wantHeard(t, c, v1alpha1.OutcomeReady)
	// The kubelet makes one after the other. It waits for the end of an init container
	// before the next, but for the exec of none.
	first, own, second := milestonesOf(t, c, "first"), milestonesOf(t, c, app), milestonesOf(t, c, "second")
	for _, order := range []map[string]*v1alpha1.Milestone{
		{"1 first created": first.Created, "2 first executed": first.EntrypointExec, "3 app created": own.Created, "4 app executed": own.EntrypointExec},
		{"1 app created": own.Created, "2 second created": second.Created, "3 second executed": second.EntrypointExec},
	} {
		wantSequence(t, c, order)
	}
	for _, name := range []string{"first", app, "second"} {
		if a := actorStats(c, v1alpha1.ActorWorkload, name); a.Processes != 1 || a.Syscalls == 0 {
			t.Errorf("container %s: %+v, want one process and its system calls", name, a)
		}
	}
	if got := c.Spec.KernelStats.CgroupsCreated; got != 5 {
		t.Errorf("%d cgroups created, want those of the pod, its sandbox and three containers", got)
	}
}

// TestInvalidByHand applies what the observer would never write.
func TestInvalidByHand(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	c := &v1alpha1.PodBirthCertificate{}
	c.Name, c.Namespace = "forged", s.namespace
	c.Spec = v1alpha1.PodBirthCertificateSpec{
		PodRef: v1alpha1.PodReference{Name: "web", UID: "1"}, NodeName: "node", Outcome: v1alpha1.OutcomeFailed, Duration: "1ms",
		Origin:   v1alpha1.Origin{Time: metav1.NowMicro(), Clock: v1alpha1.ClockKernel},
		Coverage: v1alpha1.Coverage{AttributedPercent: "100.0"},
	}
	err := f.client.Create(t.Context(), c)
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "failure is present exactly when outcome is Failed") {
		t.Errorf("a certificate that failed without a failure: %v", err)
	}
}
