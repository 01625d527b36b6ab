// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/operator"
)

const observerOwner = client.FieldOwner("kernel-observer")

// applySpec is how an observer writes: server-side apply, without force.
func applySpec(t *testing.T, c client.Client, object *unstructured.Unstructured) error {
	t.Helper()
	return c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), observerOwner)
}

// Observer and operator write the same object in turn, with the rights of their
// service accounts and without force, and each finds the other's half untouched.
func TestTwoWritersDoNotConflict(t *testing.T) {
	f := cluster(t)
	observer, admin := f.observer(t, "node1"), f.admin(t)
	testimony := loose(t, minimalWhisper(f.namespace(t)))
	key := client.ObjectKeyFromObject(testimony)

	if err := applySpec(t, observer, testimony); err != nil {
		t.Fatal(err)
	}
	first := judgedWhisper(t, admin, key)

	set(t, testimony, int64(150), "spec", "kernelTruth", "periods")
	set(t, testimony, "64.7", "spec", "kernelTruth", "throttledPercent")
	set(t, testimony, map[string]any{"severity": "Info"}, "status") // not the observer's: has no effect
	if err := applySpec(t, observer, testimony); err != nil {
		t.Fatalf("second testimony: %v", err)
	}
	second := judgedWhisper(t, admin, key)

	if second.Generation != first.Generation+1 || second.Spec.KernelTruth.Periods != 150 {
		t.Errorf("generation %d with %d periods, want %d with 150", second.Generation, second.Spec.KernelTruth.Periods, first.Generation+1)
	}
	if second.Status.Severity != "Critical" || second.Status.Insight == first.Status.Insight {
		t.Errorf("verdict %s %q is not the operator's on the second testimony", second.Status.Severity, second.Status.Insight)
	}
	wantManagers(t, second.ManagedFields, map[string]string{string(observerOwner): "", operator.FieldOwner: "status"})
}

// wantManagers checks who applied what: the subresource by manager.
func wantManagers(t *testing.T, entries []metav1.ManagedFieldsEntry, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, e := range entries {
		if e.Operation != metav1.ManagedFieldsOperationApply {
			t.Errorf("%s wrote with %s, want Apply", e.Manager, e.Operation)
		}
		got[e.Manager] = e.Subresource
	}
	for manager, subresource := range want {
		if s, found := got[manager]; !found || s != subresource {
			t.Errorf("managers %v, want %v", got, want)
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("managers %v, want %v", got, want)
	}
}

func TestObserverIsHeldToItsOwnNode(t *testing.T) {
	f := cluster(t)
	own := func(t *testing.T) *unstructured.Unstructured { return loose(t, minimalWhisper(f.namespace(t))) }
	tests := []struct {
		name   string
		node   string
		change func(t *testing.T, object *unstructured.Unstructured)
		want   string
	}{
		{"its own node", "node1", func(*testing.T, *unstructured.Unstructured) {}, ""},
		{"another node", "node2", func(*testing.T, *unstructured.Unstructured) {},
			"an observer may testify for its own node only: it runs on node2, spec.nodeName is node1"},
		{"a token that names no node", "", func(*testing.T, *unstructured.Unstructured) {},
			"the observer's token does not name its node; use the token that the kubelet mounts into its pod"},
		{"a finalizer", "node1", func(_ *testing.T, o *unstructured.Unstructured) { o.SetFinalizers([]string{"example.com/stay"}) },
			"an observer changes neither finalizers nor ownerReferences"},
		{"the labels of its own node and pod", "node1", label("node1", "7d0a6a2e-0c1e-4a37-9a44-2c8a36f1b7aa"), ""},
		{"the label of another node", "node1", label("node2", ""), "the label kernel-gossip.io/node, where there is one, is spec.nodeName"},
		{"the label of another pod", "node1", label("", "11111111-0c1e-4a37-9a44-2c8a36f1b7aa"),
			"the label kernel-gossip.io/pod-uid, where there is one, is spec.podRef.uid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			object := own(t)
			tt.change(t, object)
			err := applySpec(t, f.observer(t, tt.node), object)
			if tt.want == "" {
				if err != nil {
					t.Errorf("denied: %v", err)
				}
				return
			}
			wantError(t, err, tt.want)
		})
	}
}

// label sets those of the two that are not empty.
func label(node, uid string) func(*testing.T, *unstructured.Unstructured) {
	return func(_ *testing.T, o *unstructured.Unstructured) {
		labels := map[string]string{v1alpha1.LabelNode: node, v1alpha1.LabelPodUID: uid}
		maps.DeleteFunc(labels, func(_, value string) bool { return value == "" })
		o.SetLabels(labels)
	}
}

// Certificates are looked up by their labels alone (kube.CertifiedPods).
func TestCertificateLabelsGoBySpec(t *testing.T) {
	f := cluster(t)
	for name, change := range map[string]func(*testing.T, *unstructured.Unstructured){
		"another node": label("node2", ""), "another pod": label("node1", "11111111-0c1e-4a37-9a44-2c8a36f1b7aa"),
	} {
		object := loose(t, fullCertificate(f.namespace(t)))
		if err := applySpec(t, f.observer(t, "node1"), object); err != nil {
			t.Fatalf("its own: %v", err)
		}
		change(t, object)
		if err := applySpec(t, f.observer(t, "node1"), object); !apierrors.IsForbidden(err) {
			t.Errorf("the label of %s: %v, want forbidden", name, err)
		}
	}
}

func TestObserverCannotTakeOverAnotherNodesTestimony(t *testing.T) {
	f := cluster(t)
	for name, object := range map[string]*unstructured.Unstructured{
		"whisper":     loose(t, minimalWhisper(f.namespace(t))),
		"certificate": loose(t, minimalCertificate(f.namespace(t))),
	} {
		t.Run(name, func(t *testing.T) {
			if err := applySpec(t, f.observer(t, "node1"), object); err != nil {
				t.Fatal(err)
			}
			set(t, object, "node2", "spec", "nodeName")
			err := f.observer(t, "node2").Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), observerOwner, client.ForceOwnership)
			if err == nil {
				t.Error("another node's observer may rewrite it")
			}
		})
	}
}

// An administrator who corrects or tries something by hand is left to RBAC.
func TestPolicyLeavesOthersAlone(t *testing.T) {
	f := cluster(t)
	object := loose(t, minimalWhisper(f.namespace(t)))
	object.SetFinalizers([]string{"example.com/stay"})
	if err := f.admin(t).Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	// The observer goes on although somebody else put a finalizer there.
	object = loose(t, minimalWhisper(object.GetNamespace()))
	err := f.observer(t, "node1").Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), observerOwner, client.ForceOwnership)
	// The whisper's startTime differs, which is the schema's complaint, not the policy's.
	wantError(t, err, "are immutable")
}

// The whole folder applies in one go (TestMain did that), and again without a change.
func TestManifestsApplyTwice(t *testing.T) {
	f := cluster(t)
	out, err := f.kubectl("apply", "-f", manifests)
	if err != nil {
		t.Fatal(err)
	}
	lines := nonEmptyLines(out)
	if len(lines) == 0 || len(lines) != len(nonEmptyLines(f.firstApply)) {
		t.Errorf("first time:\n%s\nsecond time:\n%s", f.firstApply, out)
	}
	for _, line := range lines {
		if !strings.HasSuffix(line, " unchanged") {
			t.Errorf("applied again: %s", line)
		}
	}
	for _, line := range nonEmptyLines(f.firstApply) {
		if !strings.HasSuffix(line, " created") {
			t.Errorf("applied to an empty cluster: %s", line)
		}
	}
}

// Each part can be taken away with its own kind of object, so each carries the
// labels by which it is found.
func TestManifestsAreLabelled(t *testing.T) {
	f := cluster(t)
	for _, tt := range []struct {
		kind, selector string
		want           []string
	}{
		{"daemonsets", "app.kubernetes.io/name=kernel-observer", []string{"daemonset.apps/kernel-observer"}},
		{"deployments", "app.kubernetes.io/name=operator", []string{"deployment.apps/operator"}},
		{"serviceaccounts", "app.kubernetes.io/part-of=kernel-gossip", []string{"serviceaccount/kernel-observer", "serviceaccount/operator"}},
	} {
		out, err := f.kubectl("get", tt.kind, "-n", "kernel-gossip", "-l", tt.selector, "-o", "name")
		if err != nil {
			t.Fatal(err)
		}
		if got := nonEmptyLines(out); !slices.Equal(got, tt.want) {
			t.Errorf("%s with %s: %q, want %q", tt.kind, tt.selector, got, tt.want)
		}
	}
}
