// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// What becomes of a static pod while it is being born. Whoever deletes its mirror ends
// nothing, and whoever removes its file says nothing to the API server.

// onceTold has a pod Ready only once somebody has touched a file in it.
func onceTold(p *corev1.Pod) {
	probe := execProbe("test", "-e", "/tmp/ready")
	probe.FailureThreshold = 1
	p.Spec.Containers[0].ReadinessProbe = probe
}

// TestMirrorIsDeletedDuringTheBirth deletes the mirror as kubectl delete does, and by
// force. The kubelet makes another once it looks at the pod, here for its readiness, and
// the birth goes on. One that is deleted after the birth is no other birth.
func TestMirrorIsDeletedDuringTheBirth(t *testing.T) {
	f := cluster(t)
	f.local(t)
	t.Parallel()
	for name, grace := range map[string]int64{"gracefully": 30, "by-force": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newScene(t, f).static(name, shell(idles), onceTold)
			p.loses(t, grace)
		})
	}
}

func (p *staticPod) loses(t *testing.T, grace int64) {
	t.Helper()
	first := p.mirror("that runs", runs)
	pod := standsFor(t, first)
	ready := p.inside(pod, "/tmp/ready")
	p.deleteMirror(first, grace)
	if names := p.certificateNames(pod); len(names) > 0 {
		t.Errorf("certificates %v of a birth that goes on", names)
	}
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second := p.mirror("made anew, Ready", isReady, first)
	c := p.bornReady(pod)
	wantContainers(t, c, v1alpha1.ContainerMilestones{Name: app, Type: v1alpha1.ContainerApp})
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)

	p.deleteMirror(second, grace)
	if err := os.Remove(ready); err != nil {
		t.Fatal(err)
	}
	third := p.mirror("made anew after the birth", runs, first, second)
	p.bornReady(p.create("sibling", shell(idles))) // bounds the wait
	wantUnchanged(t, p.scene, c)
	p.wantNoneOf(first, second, third)
}

// deleteMirror deletes one and waits until that was told.
func (p *staticPod) deleteMirror(mirror *corev1.Pod, grace int64) {
	p.t.Helper()
	if err := p.f.client.Delete(p.t.Context(), mirror, client.GracePeriodSeconds(grace)); err != nil {
		p.t.Fatal(err)
	}
	p.pods.await(p.t, "the mirror's deletion", patience, func(seen sighting[*corev1.Pod]) bool {
		return seen.object.UID == mirror.UID && (seen.gone || seen.object.DeletionTimestamp != nil)
	})
}

// TestManifestIsRemovedDuringTheBirth takes the file of a static pod away while it runs
// and is not Ready.
func TestManifestIsRemovedDuringTheBirth(t *testing.T) {
	f := cluster(t)
	f.local(t)
	t.Parallel()
	s := newScene(t, f)
	p := s.static("withdrawn", shell(idles), onceTold)
	mirror := p.mirror("that runs", runs)
	inNode(t, "", "rm", p.file)
	c := s.fails(standsFor(t, mirror), ending{
		step: "Readiness", actor: v1alpha1.ActorKubelet, container: app, reason: "|Unhealthy",
		message: "^the pod was deleted before it was Ready", insight: []string{"deleted before it was Ready"},
	})
	if c.Spec.UnderWay || c.Spec.Milestones.Ready != nil || milestonesOf(t, c, app).EntrypointExec == nil {
		t.Errorf("under way %t, milestones %+v; want its entrypoint, its end, and not Ready", c.Spec.UnderWay, c.Spec.Milestones)
	}
	p.wantNoneOf(mirror)
}

// TestManifestIsChangedDuringTheBirth has the kubelet end a static pod that is being
// born and begin another one of the same name: each has its certificate.
func TestManifestIsChangedDuringTheBirth(t *testing.T) {
	f := cluster(t)
	f.local(t)
	t.Parallel()
	s := newScene(t, f)
	p := s.static("edited", shell(idles), onceTold)
	first := p.mirror("that runs", runs)
	p.write(shell(idles))
	second := p.mirror("of the other file, Ready", isReady, first)
	if standsFor(t, first).UID == standsFor(t, second).UID {
		t.Fatalf("both files are the pod %s", standsFor(t, first).UID)
	}
	s.fails(standsFor(t, first), ending{
		step: "Readiness", actor: v1alpha1.ActorKubelet, container: app, reason: "|Unhealthy", message: "^the pod was deleted before it was Ready",
	})
	c := s.bornReady(standsFor(t, second))
	wantWorkload(t, c, app, idlesProcesses, idlesExecs)
	p.wantNoneOf(first, second)
}

// TestManifestIsPutBack takes the file of a static pod away after its birth, and puts it
// back. For the kubelet that is the same pod, by its UID, which it makes anew: another
// birth, with a certificate of its own. Where the file comes back at once the mirror may stay,
// and tells of the container before.
func TestManifestIsPutBack(t *testing.T) {
	f := cluster(t)
	f.local(t)
	t.Parallel()
	for name, returns := range map[string]func(p *staticPod, first *corev1.Pod){
		"at-once": func(*staticPod, *corev1.Pod) {},
		"later": func(p *staticPod, first *corev1.Pod) {
			p.pods.await(p.t, "gone", patience, func(seen sighting[*corev1.Pod]) bool { return seen.gone && seen.object.UID == first.UID })
			p.bornReady(p.create("meanwhile", shell(idles))) // long enough for the observer to forget it
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newScene(t, f).static("returning", shell(idles)).returns(t, returns)
		})
	}
}

func (p *staticPod) returns(t *testing.T, until func(p *staticPod, first *corev1.Pod)) {
	t.Helper()
	mirror := p.mirror("that is Ready", isReady)
	pod := standsFor(t, mirror)
	first := p.bornReady(pod)
	inNode(t, "", "rm", p.file)
	until(p, mirror)
	p.write(shell(idles))
	second := p.certificates.await(t, "of another birth, Ready and judged", patience, func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		o := seen.object
		return o.Spec.PodRef.UID == string(pod.UID) && o.Name != first.Name && o.Spec.Outcome == v1alpha1.OutcomeReady &&
			!awaitsImages(o) && o.Status.ObservedGeneration == o.Generation
	}).object
	wantHeard(t, second, v1alpha1.OutcomeReady)
	wantWorkload(t, second, app, idlesProcesses, idlesExecs)
	wantContainers(t, second, v1alpha1.ContainerMilestones{Name: app, Type: v1alpha1.ContainerApp})
	if second.Name != first.Name+"-2" || second.Spec.FailedAttempts != 0 || !first.Spec.Origin.Time.Before(&second.Spec.Origin.Time) {
		t.Errorf("certificate %s after %s: %d failed attempts, from %s", second.Name, first.Name, second.Spec.FailedAttempts, second.Spec.Origin.Time)
	}
	p.bornReady(p.create("sibling", shell(idles))) // bounds the wait
	if names := p.certificateNames(pod); len(names) != 2 || names[first.Name] != first.Generation {
		t.Errorf("certificates %v, want %s unchanged and one other", names, first.Name)
	}
	p.wantNoneOf(mirror)
}

// TestStaticPodThatFails names a program that its image does not have. Its restarts,
// and a mirror that is made anew meanwhile, are told in the one certificate.
func TestStaticPodThatFails(t *testing.T) {
	f := cluster(t)
	f.local(t)
	t.Parallel()
	s := newScene(t, f)
	p := s.static("programless", command("/no/such/program"))
	mirror := p.mirror("at all", func(*corev1.Pod) bool { return true })
	pod := standsFor(t, mirror)
	want := ending{
		step: "Entrypoint", actor: v1alpha1.ActorRuntime, container: app, errno: "ENOENT", file: "/no/such/program",
		reason: "StartError|RunContainerError|CrashLoopBackOff", attempts: 1, insight: []string{"/no/such/program", "no such file"},
	}
	first := s.fails(pod, want)
	s.delete(mirror)
	another := p.mirror("made anew", func(*corev1.Pod) bool { return true }, mirror)
	want.attempts = first.Spec.FailedAttempts + 1
	s.fails(pod, want)
	inNode(t, "", "rm", p.file)
	last := s.certificates.await(t, "about "+p.name+" after its end", patience, func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		return seen.object.Name == first.Name && !seen.object.Spec.UnderWay
	}).object
	if what := want.differs(last); what != "" {
		t.Errorf("after the pod's end: %s: %+v", what, last.Spec.Failure)
	}
	wantOneCertificate(t, s, pod)
	p.wantNoneOf(mirror, another)
}
