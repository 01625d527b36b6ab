// SPDX-License-Identifier: Apache-2.0

package kube_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/sink/kube"
)

// store lists what it holds as an API server does: by label, a page at a time.
type store struct {
	dynamic.NamespaceableResourceInterface
	items []unstructured.Unstructured
	pages int
}

func (s *store) Resource(schema.GroupVersionResource) dynamic.NamespaceableResourceInterface {
	return s
}

func (s *store) List(_ context.Context, o metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	selector, err := labels.Parse(o.LabelSelector)
	if err != nil || o.Limit <= 0 {
		return nil, fmt.Errorf("options %+v: %w", o, err)
	}
	s.pages++
	from, next := 0, ""
	_, _ = fmt.Sscan(o.Continue, &from)
	to := min(from+int(o.Limit), len(s.items))
	if to < len(s.items) {
		next = fmt.Sprint(to)
	}
	list := &unstructured.UnstructuredList{}
	list.SetContinue(next)
	for _, item := range s.items[from:to] {
		if selector.Matches(labels.Set(item.GetLabels())) {
			list.Items = append(list.Items, item)
		}
	}
	return list, nil
}

// names is a store of which only the metadata is asked for.
type names struct {
	metadata.Getter
	*store
}

func (n names) Resource(schema.GroupVersionResource) metadata.Getter { return n }
func (n names) List(ctx context.Context, o metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	full, err := n.store.List(ctx, o)
	if err != nil {
		return nil, err
	}
	list := &metav1.PartialObjectMetadataList{ListMeta: metav1.ListMeta{Continue: full.GetContinue()}}
	for _, item := range full.Items {
		list.Items = append(list.Items, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: item.GetName(), Labels: item.GetLabels()}})
	}
	return list, nil
}

// filled has the objects of a node and another, in turn.
func filled(t *testing.T, node string, each func(node string, i int) any) *store {
	t.Helper()
	s := &store{}
	for i := range 600 {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(each([]string{node, "other"}[i%2], i))
		if err != nil {
			t.Fatal(err)
		}
		s.items = append(s.items, unstructured.Unstructured{Object: content})
	}
	return s
}

func metaOf(node, uid string, i int) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("web-", i), Labels: map[string]string{v1alpha1.LabelPodUID: uid}}
	if len(node) <= 63 {
		m.Labels[v1alpha1.LabelNode] = node
	}
	return m
}

// Names of nodes have up to 253 characters, and a label's value has 63.
var nodes = map[string]string{"short": "node1", "long": "node1." + strings.Repeat("a-long-domain.", 8) + "example"}

func TestOpenWhispers(t *testing.T) {
	for name, node := range nodes {
		t.Run(name, func(t *testing.T) {
			s := filled(t, node, func(node string, i int) any {
				w := &v1alpha1.KernelWhisper{ObjectMeta: metaOf(node, fmt.Sprint("uid-", i), i)}
				w.Spec.NodeName = node
				if i%3 == 0 {
					w.Spec.EndTime = &metav1.MicroTime{Time: time.Unix(1, 0)}
				}
				return w
			})
			open, err := kube.OpenWhispers(t.Context(), s, node)
			if err != nil || len(open) != 200 || s.pages < 2 {
				t.Fatalf("%d open whispers of 200, in %d pages: %v", len(open), s.pages, err)
			}
			for _, w := range open {
				if w.Spec.NodeName != node || w.Spec.EndTime != nil {
					t.Errorf("%s of %s", w.Name, w.Spec.NodeName)
				}
			}
		})
	}
}

func TestCertifiedPods(t *testing.T) {
	for name, node := range nodes {
		t.Run(name, func(t *testing.T) {
			s := filled(t, node, func(node string, i int) any {
				c := &v1alpha1.PodBirthCertificate{ObjectMeta: metaOf(node, fmt.Sprint("uid-", i/8*8+i%4), i)}
				c.Spec.NodeName, c.Spec.PodRef.UID = node, c.Labels[v1alpha1.LabelPodUID]
				return c
			})
			certified, err := kube.CertifiedPods(t.Context(), names{store: s}, s, node)
			if err != nil || len(certified) != 150 || s.pages < 2 || !slices.Equal(certified["uid-592"], []string{"web-592", "web-596"}) || certified["uid-1"] != nil {
				t.Errorf("%d pods of 150, in %d pages: %v", len(certified), s.pages, err)
			}
		})
	}
}
