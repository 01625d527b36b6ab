// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"regexp"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// TestOlderThanTheObserver restarts the observer beside a pod that lives and one
// in a crash loop. The successor claims to have seen neither being born: what
// its predecessor told stays, and what was deleted is not told again. It is not
// parallel: who is born while nobody listens has no certificate.
func TestOlderThanTheObserver(t *testing.T) {
	f := cluster(t)
	s := newScene(t, f)
	living := s.create("living", shell("while [ ! -e /tmp/stop ]; do sleep 0.2; done; exit 1"))
	born := s.bornReady(living)
	looping := s.create("looping", shell("exit 3")) // now, so that its back-off is short yet
	loop := s.certificate(looping).object
	s.remove(born)
	f.restartObserver(t)
	s.bornReady(s.create("first", shell(idles))) // the successor listens
	deaths := s.restarts(looping)
	s.exec(living, "touch", "/tmp/stop")
	s.awaitRestarts(living, 1, patience)
	s.awaitRestarts(looping, deaths+1, s.backOff(looping)+patience)
	s.bornReady(s.create("second", shell(idles))) // bounds the wait
	if after := s.certificateAfter(born); after != nil {
		t.Errorf("a pod older than the observer was given a certificate: %+v", after.Spec)
	}
	wantOneCertificate(t, s, looping)
	if after := s.certificate(looping).object; after.Name != loop.Name {
		t.Errorf("the crash loop has certificate %s after %s", after.Name, loop.Name)
	}
	latest := &v1alpha1.PodBirthCertificate{}
	if err := f.client.Get(t.Context(), client.ObjectKeyFromObject(loop), latest); err != nil {
		t.Fatal(err)
	}
	if latest.Spec.Complete || latest.Spec.Outcome != v1alpha1.OutcomeFailed {
		t.Errorf("the crash loop's certificate: complete %t, outcome %s; nobody saw its end", latest.Spec.Complete, latest.Spec.Outcome)
	}
}

// certificateAfter is one of the same pod that was told after that one was deleted.
func (s *scene) certificateAfter(old *v1alpha1.PodBirthCertificate) *v1alpha1.PodBirthCertificate {
	deleted := false
	for _, seen := range s.certificates.sightings(func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		return seen.object.Spec.PodRef == old.Spec.PodRef
	}) {
		if deleted {
			return seen.object
		}
		deleted = seen.gone
	}
	return nil
}

// restarts of a pod's container so far.
func (s *scene) restarts(p *corev1.Pod) int32 {
	var n int32
	for _, seen := range s.pods.sightings(func(seen sighting[*corev1.Pod]) bool { return seen.object.UID == p.UID }) {
		for _, c := range seen.object.Status.ContainerStatuses {
			n = max(n, c.RestartCount)
		}
	}
	return n
}

// backOffTold is how the kubelet tells for how long it leaves a container alone.
var backOffTold = regexp.MustCompile(`back-off (\S+) restarting`)

// backOff is the longest for which the kubelet leaves the pod's container alone before
// its next restart, by what it has said: each time is at most twice the one before,
// and at least the first one.
func (s *scene) backOff(p *corev1.Pod) time.Duration {
	s.t.Helper()
	longest := 10 * time.Second
	for _, seen := range s.pods.sightings(func(seen sighting[*corev1.Pod]) bool { return seen.object.UID == p.UID }) {
		for _, c := range seen.object.Status.ContainerStatuses {
			if c.State.Waiting == nil {
				continue
			}
			if m := backOffTold.FindStringSubmatch(c.State.Waiting.Message); m != nil {
				told, err := time.ParseDuration(m[1])
				if err != nil {
					s.t.Fatalf("the kubelet says %q: %v", c.State.Waiting.Message, err)
				}
				longest = max(longest, 2*told)
			}
		}
	}
	return longest
}

func (s *scene) awaitRestarts(p *corev1.Pod, n int32, limit time.Duration) {
	s.t.Helper()
	s.pods.await(s.t, p.Name+" restarted", limit, func(seen sighting[*corev1.Pod]) bool {
		statuses := seen.object.Status.ContainerStatuses
		return seen.object.UID == p.UID && len(statuses) == 1 && statuses[0].RestartCount >= n
	})
}

// restartObserver ends the node's observer and waits for the next one.
func (f *fixture) restartObserver(t *testing.T) {
	t.Helper()
	old := f.component(t.Context(), t, "kernel-observer")
	if old == nil {
		t.Fatal("no kernel-observer is ready: run make deploy")
	}
	observers := follow[*corev1.Pod](t, f.client, &corev1.PodList{}, installed)
	if err := f.client.Delete(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	observers.await(t, "the successor, Ready", patience, func(seen sighting[*corev1.Pod]) bool {
		p := seen.object
		return p.Labels["app.kubernetes.io/name"] == "kernel-observer" && p.Spec.NodeName == old.Spec.NodeName && p.UID != old.UID && isReady(p)
	})
}
