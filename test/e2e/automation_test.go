// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// TestAutomation lets the operator resize what its owners have opted in, and
// nothing else, by a real kubelet.
func TestAutomation(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	allowResizes(t)
	s := newScene(t, f)
	s.annotate(map[string]string{v1alpha1.AnnotationAutoResize: "true"})
	suffers := []change{load("serve", "-threads", "2", "-cpu", "40ms"), cpuLimit("200m")}
	asked := s.create("asked", suffers...)
	left := s.create("left-alone", append(suffers, func(p *corev1.Pod) {
		p.Annotations = map[string]string{v1alpha1.AnnotationAutoResize: "false"}
	})...)
	samples := startSampler(t, node, string(asked.UID))
	id := containerID(s.ready(asked).object)
	asks(s, asked, "-rate", "2.5")
	asks(s, left, "-rate", "2.5")

	step := s.whisper(asked, "with the automation's step", 2*patience, func(w *v1alpha1.KernelWhisper) bool {
		return w.Status.ResizeStep != nil
	}).object.Status.ResizeStep
	if step.FromMillicores != 200 || step.ToMillicores <= 200 || step.ToMillicores > 400 {
		t.Errorf("a step from %dm to %dm, want one that doubles 200m at most", step.FromMillicores, step.ToMillicores)
	}
	wantQuota(t, node, asked, id, step.ToMillicores)
	done := s.whisper(asked, "with the outcome", 2*patience, func(w *v1alpha1.KernelWhisper) bool { return w.Status.Outcome != nil })
	compareOutcome(t, done, samples, id, step.ToMillicores)
	eventually(t, "an event that tells of the step", func() bool {
		events, err := f.kube.EventsV1().Events(s.namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return false
		}
		for _, e := range events.Items {
			if e.Regarding.Name == asked.Name && strings.Contains(e.ReportingController, "kernel-gossip") {
				t.Logf("%s: %s", e.Reason, e.Note)
				return true
			}
		}
		return false
	})
	recorded(s, left)
	for _, seen := range s.told(left) {
		if seen.object.Status.ResizeStep != nil {
			t.Fatalf("a pod whose owner said no was resized: %+v", seen.object.Status.ResizeStep)
		}
	}
	wantQuota(t, node, left, containerID(s.ready(left).object), 200)
}

// allowResizes installs the optional manifest for the time of a test.
func allowResizes(t *testing.T) {
	t.Helper()
	kubectl(t, "apply", "-f", "../../k8s/optional/auto-resize.yaml")
	t.Cleanup(func() {
		kubectl(t, "apply", "-f", "../../k8s/40-deployment-operator.yaml")
		kubectl(t, "delete", "clusterrole,clusterrolebinding", "kernel-gossip-operator-auto-resize")
		rolledOut(t)
	})
	rolledOut(t)
}

func rolledOut(t *testing.T) {
	t.Helper()
	kubectl(t, "-n", "kernel-gossip", "rollout", "status", "deployment/operator", "--timeout=60s")
}

// kubectl runs the real one, outside of any scene.
func kubectl(t *testing.T, args ...string) {
	t.Helper()
	program, err := exec.LookPath("kubectl")
	if err != nil {
		program = filepath.Join(os.Getenv("KG_NODE_BIN"), "kubectl")
	}
	if out, err := exec.CommandContext(context.Background(), program, args...).CombinedOutput(); err != nil {
		t.Fatalf("kubectl %q: %v: %s", args, err, out)
	}
}

// annotate annotates the scene's namespace.
func (s *scene) annotate(annotations map[string]string) {
	s.t.Helper()
	patch := []byte(asJSON(s.t, map[string]any{"metadata": map[string]any{"annotations": annotations}}))
	if _, err := s.f.kube.CoreV1().Namespaces().Patch(s.t.Context(), s.namespace, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		s.t.Fatalf("annotate the namespace: %v", err)
	}
}
