// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kernel-gossip/kernel-gossip/internal/operator"
)

//go:embed nginx.yaml
var sample []byte

var (
	certificates = schema.GroupVersionResource{Group: "kernel-gossip.io", Version: "v1alpha1", Resource: "podbirthcertificates"}
	namespaces   = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
)

// writers is how many write at a time.
const writers = 8

// siblings is how many certificates a workload has.
const siblings = 10

func name(namespace int) string { return fmt.Sprintf("shop-%03d", namespace) }

func podOf(i int) string { return fmt.Sprintf("web-%05d-54cd56c64f-wsv44", i) }

func clientOf(config *rest.Config) (*dynamic.DynamicClient, error) {
	fast := rest.CopyConfig(config)
	fast.QPS = -1
	return dynamic.NewForConfig(fast)
}

// write makes the namespaces and the certificates, as the observer does.
func write(ctx context.Context, config *rest.Config, objects, groups int) error {
	client, err := clientOf(config)
	if err != nil {
		return err
	}
	for i := range groups {
		ns := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name(i)}}}
		if _, err := client.Resource(namespaces).Create(ctx, ns, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("namespace: %w", err)
		}
	}
	template, err := sampled()
	if err != nil {
		return err
	}
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(writers)
	for i := range objects {
		g.Go(func() error {
			c := certificate(template, i, groups, began)
			_, err := client.Resource(certificates).Namespace(c.GetNamespace()).Apply(ctx, c.GetName(), c, metav1.ApplyOptions{FieldManager: "kernel-observer", Force: true})
			return err
		})
	}
	return g.Wait()
}

func sampled() (template map[string]any, err error) {
	if err := yaml.Unmarshal(sample, &template); err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	return template, nil
}

// certificate is the sample under another name, of another pod, an hour of births apart.
func certificate(template map[string]any, i, groups int, now time.Time) *unstructured.Unstructured {
	c := (&unstructured.Unstructured{Object: template}).DeepCopy()
	uid := fmt.Sprintf("%08x-4c9c-4ae0-a1ae-6a083b4b2523", i)
	pod := podOf(i)
	c.SetName(pod + "-" + uid[:8])
	c.SetNamespace(name(i % groups))
	labels := maps.Clone(c.GetLabels())
	labels["kernel-gossip.io/pod-uid"] = uid
	c.SetLabels(labels)
	workload := fmt.Sprintf("web-%05d-54cd56c64f", i/groups/siblings)
	for field, value := range map[string]string{"podRef.name": pod, "podRef.uid": uid, "workloadRef.name": workload} {
		set(c.Object, "spec."+field, value)
	}
	set(c.Object, "spec.origin.time", now.Add(-time.Hour+time.Duration(i)*50*time.Millisecond).UTC().Format("2006-01-02T15:04:05.000000Z"))
	return c
}

// count asks for nothing but how many there are.
func count(ctx context.Context, config *rest.Config) (int, error) {
	client, err := clientOf(config)
	if err != nil {
		return 0, err
	}
	list, err := client.Resource(certificates).List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	n := len(list.Items)
	if rest := list.GetRemainingItemCount(); rest != nil {
		n += int(*rest)
	}
	return n, nil
}

// old is true of copies that are older than the operator keeps them.
func old(i int) bool { return i%50 == 0 }

// expected is how many the operator's defaults leave.
func expected(o options) int {
	most, held := operator.DefaultOptions().Retention.MaxPerNamespace, map[int]int{}
	for i := range o.objects {
		if i < o.written || !old(i) {
			held[i%o.namespaces]++
		}
	}
	left := 0
	for _, n := range held {
		left += min(n, most)
	}
	return left
}
