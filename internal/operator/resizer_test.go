// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// A node testifies for its own pods: what it says of another's has nothing resized,
// whoever opted in.
func TestOnlyThePodsNodeIsHeeded(t *testing.T) {
	asked := map[string]string{v1alpha1.AnnotationAutoResize: "true"}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-1", Annotations: asked}}
	pod.Spec.NodeName = "node1"
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	r := &resizer{fresh: fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(pod, shop).Build()}
	for node, want := range map[string]bool{"node1": true, "node2": false} {
		whisper := &v1alpha1.KernelWhisper{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-app-1"}}
		whisper.Spec.PodRef, whisper.Spec.NodeName = v1alpha1.PodReference{Name: "web", UID: "uid-1"}, node
		_, got, err := r.askedFor(t.Context(), whisper)
		if err != nil || got != want {
			t.Errorf("a whisper of %s about a pod of node1: asked for %t (%v), want %t", node, got, err, want)
		}
	}
}
