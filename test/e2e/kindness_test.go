// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// What the tests of the kinds of pods share.

// wantUnchanged fails if a certificate is not what it was, or not the only one.
func wantUnchanged(t *testing.T, s *scene, before *v1alpha1.PodBirthCertificate) {
	t.Helper()
	after := &v1alpha1.PodBirthCertificate{}
	if err := s.f.client.Get(t.Context(), client.ObjectKeyFromObject(before), after); err != nil {
		t.Fatal(err)
	}
	if after.Generation != before.Generation || !equality.Semantic.DeepEqual(after.Spec, before.Spec) {
		t.Errorf("the certificate changed:\nbefore %+v\nafter  %+v", before.Spec, after.Spec)
	}
	for _, seen := range s.certificates.sightings(func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		return seen.object.Spec.PodRef.Name == before.Spec.PodRef.Name && seen.object.Name != before.Name
	}) {
		t.Errorf("another certificate: %s", seen.object.Name)
	}
}

// eventually polls for what has no watch.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	within(t, patience, what, holds)
}

func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// debug adds an ephemeral container to a pod, as kubectl debug does, and waits
// until it runs.
func (s *scene) debug(p *corev1.Pod, name string) {
	s.t.Helper()
	pods := s.f.kube.CoreV1().Pods(p.Namespace)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := pods.Get(s.t.Context(), p.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		now.Spec.EphemeralContainers = append(now.Spec.EphemeralContainers, corev1.EphemeralContainer{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name, Image: busyboxImage, Command: []string{"sh", "-c", idles}},
		})
		_, err = pods.UpdateEphemeralContainers(s.t.Context(), p.Name, now, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		s.t.Fatalf("add the ephemeral container %s: %v", name, err)
	}
	s.pods.await(s.t, p.Name+" with "+name+" running", patience, func(seen sighting[*corev1.Pod]) bool {
		for _, c := range seen.object.Status.EphemeralContainerStatuses {
			if seen.object.UID == p.UID && c.Name == name && c.State.Running != nil {
				return true
			}
		}
		return false
	})
}

// job runs a job of some pods at once and returns their certificates, complete.
func (s *scene) job(name string, program change, size int32) []*v1alpha1.PodBirthCertificate {
	s.t.Helper()
	template := s.podNamed("", program, never)
	j := &batchv1.Job{}
	j.GenerateName, j.Namespace = fmt.Sprintf("%s-%d-", name, size), s.namespace
	j.Spec.Completions, j.Spec.Parallelism = &size, &size
	j.Spec.Template.Spec = template.Spec
	if err := s.f.client.Create(s.t.Context(), j); err != nil {
		s.t.Fatalf("create job %s: %v", name, err)
	}
	var all map[string]*v1alpha1.PodBirthCertificate
	s.certificates.await(s.t, fmt.Sprintf("about %d pods of job %s", size, j.Name), patience, func(sighting[*v1alpha1.PodBirthCertificate]) bool {
		all = map[string]*v1alpha1.PodBirthCertificate{}
		for _, seen := range s.certificates.sightings(func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
			w := seen.object.Spec.WorkloadRef
			return w != nil && w.Kind == "Job" && w.Name == j.Name && !awaitsImages(seen.object) &&
				seen.object.Spec.Outcome != v1alpha1.OutcomePending // of one that takes long
		}) {
			all[seen.object.Name] = seen.object
		}
		return len(all) >= int(size)
	})
	if len(all) != int(size) {
		s.t.Errorf("%d certificates of job %s, want %d", len(all), j.Name, size)
	}
	return slices.Collect(maps.Values(all))
}
