// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// component finds the running pod of a component, on the local node if there is
// one; nil if there is none.
func (f *fixture) component(ctx context.Context, t *testing.T, name string) *corev1.Pod {
	t.Helper()
	pods := &corev1.PodList{}
	if err := f.client.List(ctx, pods, client.InNamespace(installed), client.MatchingLabels{"app.kubernetes.io/name": name}); err != nil {
		t.Fatal(err)
	}
	for _, p := range pods.Items {
		elsewhere := name == "kernel-observer" && f.node != nil && p.Spec.NodeName != f.node.name
		if isReady(&p) && p.DeletionTimestamp == nil && !elsewhere {
			return &p
		}
	}
	return nil
}

// TestObserverRestarts ends the observer in the middle of an episode: its
// successor takes the same whisper up and ends it. It is not parallel: who is
// born while nobody listens has no certificate.
func TestObserverRestarts(t *testing.T) {
	f := cluster(t)
	s := newScene(t, f)
	old := f.component(t.Context(), t, "kernel-observer")
	if old == nil {
		t.Fatal("no kernel-observer is ready: run make deploy")
	}
	observers := follow[*corev1.Pod](t, f.client, &corev1.PodList{}, installed)
	pod := s.create("burner", shell(burns), cpuLimit("100m"))
	born := s.certificate(pod).object
	s.whisper(pod, "at all", patience, anyState)
	deleted := time.Now()
	if err := f.client.Delete(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	// A DaemonSet makes the next pod when the one before is gone.
	successor := observers.await(t, "the successor", patience, func(seen sighting[*corev1.Pod]) bool {
		p := seen.object
		return p.Labels["app.kubernetes.io/name"] == "kernel-observer" && p.Spec.NodeName == old.Spec.NodeName && p.UID != old.UID
	})
	again := s.whisper(pod, "told by the successor", patience, func(w *v1alpha1.KernelWhisper) bool {
		return w.Spec.LastSeenTime.After(successor.at) && !ended(w)
	})
	f.figures.add(t, "restart of the observer: deletion to whisper taken up", "%s", again.at.Sub(deleted).Round(time.Millisecond))
	s.exec(pod, "touch", "/tmp/stop")
	end := s.whisper(pod, "ended and judged", patience, func(w *v1alpha1.KernelWhisper) bool { return ended(w) && judged(w) })
	wantConditions(t, end.object, metav1.ConditionFalse, metav1.ConditionTrue)
	wantOneWhisper(t, s, pod)
	if names := s.certificateNames(pod); len(names) != 1 || names[born.Name] != born.Generation {
		t.Errorf("after the restart the pod has certificates %v, want %s unchanged", names, born.Name)
	}
}
