// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func discoveryClient(t *testing.T, f *fixture) *discovery.DiscoveryClient {
	t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(f.config)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// table asks the API server for what kubectl get prints.
func table(t *testing.T, f *fixture, namespace, plural string) *metav1.Table {
	t.Helper()
	raw, err := discoveryClient(t, f).RESTClient().Get().
		AbsPath("/apis/kernel-gossip.io/v1alpha1/namespaces", namespace, plural).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").
		Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	out := &metav1.Table{}
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// row gives the one row of a table by the name of its columns.
func row(t *testing.T, table *metav1.Table) map[string]string {
	t.Helper()
	if len(table.Rows) != 1 {
		t.Fatalf("%d rows, want 1", len(table.Rows))
	}
	cells := map[string]string{}
	for i, c := range table.ColumnDefinitions {
		cells[c.Name] = fmt.Sprint(table.Rows[0].Cells[i])
	}
	return cells
}

func columns(table *metav1.Table) (narrow, wide []string) {
	for _, c := range table.ColumnDefinitions {
		if c.Priority == 0 {
			narrow = append(narrow, c.Name)
		}
		wide = append(wide, c.Name)
	}
	return narrow, wide
}

func TestWhisperColumns(t *testing.T) {
	f := cluster(t)
	w := minimalWhisper(f.namespace(t))
	if err := f.admin(t).Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	judgedWhisper(t, f.admin(t), client.ObjectKeyFromObject(w))
	got := table(t, f, w.Namespace, "kernelwhispers")
	narrow, wide := columns(got)
	wantStrings(t, narrow, "Name", "Pod", "Container", "Reason", "Throttled %", "Reported %", "Severity", "Active", "Age")
	wantStrings(t, wide, "Name", "Pod", "Container", "Reason", "Throttled %", "Reported %", "Severity", "Active", "Node", "Evidence", "Recommendation", "Age")
	cells := row(t, got)
	for column, want := range map[string]string{
		"Pod": "burner", "Container": "app", "Reason": "CPUThrottling", "Throttled %": "98.0", "Reported %": "100.0",
		"Severity": "Critical", "Active": "True", "Node": "node1",
	} {
		if cells[column] != want {
			t.Errorf("column %s shows %q, want %q", column, cells[column], want)
		}
	}
}

func TestCertificateColumns(t *testing.T) {
	f := cluster(t)
	c := fullCertificate(f.namespace(t))
	if err := f.admin(t).Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	judgedCertificate(t, f.admin(t), client.ObjectKeyFromObject(c))
	got := table(t, f, c.Namespace, "podbirthcertificates")
	narrow, wide := columns(got)
	wantStrings(t, narrow, "Name", "Pod", "Outcome", "Syscalls", "Duration", "Coverage", "Age")
	wantStrings(t, wide, "Name", "Pod", "Outcome", "Syscalls", "Duration", "Coverage", "Node", "Insight", "Age")
	cells := row(t, got)
	for column, want := range map[string]string{
		"Pod": "web", "Outcome": "Ready", "Syscalls": "4812", "Duration": "512ms", "Coverage": "99.2", "Node": "node1",
		"Insight": "Born in 512ms with 4,812 system calls, after 2 failed attempts at ImagePull of container app (ErrImagePull); longest phase: Network, 170ms (33 %), of which 120ms waiting.",
	} {
		if cells[column] != want {
			t.Errorf("column %s shows %q, want %q", column, cells[column], want)
		}
	}
}

func wantStrings(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestNamesInDiscovery(t *testing.T) {
	list, err := discoveryClient(t, cluster(t)).ServerResourcesForGroupVersion("kernel-gossip.io/v1alpha1")
	if err != nil {
		t.Fatal(err)
	}
	short := map[string]string{"podbirthcertificates": "pbc", "kernelwhispers": "kw"}
	for _, r := range list.APIResources {
		want, found := short[r.Name]
		if !found {
			continue
		}
		delete(short, r.Name)
		if !slices.Equal(r.ShortNames, []string{want}) || !slices.Equal(r.Categories, []string{"gossip"}) || !r.Namespaced {
			t.Errorf("%s: short names %q, categories %q, namespaced %t", r.Name, r.ShortNames, r.Categories, r.Namespaced)
		}
	}
	if len(short) > 0 {
		t.Errorf("not in discovery: %v", short)
	}
}

func TestCRDsAreEstablished(t *testing.T) {
	f := cluster(t)
	for _, name := range []string{"podbirthcertificates.kernel-gossip.io", "kernelwhispers.kernel-gossip.io"} {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
		if err := f.admin(t).Get(t.Context(), client.ObjectKey{Name: name}, object); err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := json.Unmarshal(mustJSON(t, object), &crd); err != nil {
			t.Fatal(err)
		}
		conditions := map[apiextensionsv1.CustomResourceDefinitionConditionType]apiextensionsv1.CustomResourceDefinitionCondition{}
		for _, c := range crd.Status.Conditions {
			conditions[c.Type] = c
		}
		if conditions[apiextensionsv1.Established].Status != apiextensionsv1.ConditionTrue {
			t.Errorf("%s is not established: %+v", name, crd.Status.Conditions)
		}
		if c, found := conditions[apiextensionsv1.NonStructuralSchema]; found && c.Status == apiextensionsv1.ConditionTrue {
			t.Errorf("%s: %s", name, c.Message)
		}
	}
}
