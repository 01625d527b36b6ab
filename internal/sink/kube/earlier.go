// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

const (
	// metadataPage and objectPage bound one answer of a list; an object takes up to 16 KiB.
	metadataPage = 500
	objectPage   = 100
)

// OpenWhispers lists the whispers of a node that have not ended.
func OpenWhispers(ctx context.Context, client dynamic.Interface, node string) ([]*v1alpha1.KernelWhisper, error) {
	var open []*v1alpha1.KernelWhisper
	err := objects(ctx, client, whispers, node, func(item *unstructured.Unstructured) error {
		w := &v1alpha1.KernelWhisper{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, w); err != nil {
			return fmt.Errorf("read whisper %s/%s: %w", item.GetNamespace(), item.GetName(), err)
		}
		if w.Spec.EndTime == nil {
			open = append(open, &v1alpha1.KernelWhisper{TypeMeta: w.TypeMeta, ObjectMeta: metav1.ObjectMeta{
				Namespace: w.Namespace, Name: w.Name, Labels: w.Labels,
			}, Spec: w.Spec})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list whispers: %w", err)
	}
	return open, nil
}

// CertifiedPods lists the pods of a node that have a certificate, by UID, with the names of
// these: a static pod may have several. Only the objects' metadata is asked for where the
// label names the node, which admission holds to the spec.
func CertifiedPods(ctx context.Context, names metadata.Interface, client dynamic.Interface, node string) (map[string][]string, error) {
	certified := map[string][]string{}
	note := func(name, uid string) {
		if uid != "" {
			certified[uid] = append(certified[uid], name)
		}
	}
	var err error
	if labeled(node) {
		err = pages(node, metadataPage, func(options metav1.ListOptions) (string, error) {
			list, err := names.Resource(v1alpha1.GroupVersion.WithResource(certificates)).List(ctx, options)
			if err != nil {
				return "", err
			}
			for _, item := range list.Items {
				note(item.Name, item.Labels[v1alpha1.LabelPodUID])
			}
			return list.Continue, nil
		})
	} else {
		err = objects(ctx, client, certificates, node, func(item *unstructured.Unstructured) error {
			uid, _, _ := unstructured.NestedString(item.Object, "spec", "podRef", "uid")
			note(item.GetName(), uid)
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	return certified, nil
}

// objects visits those of a node.
func objects(ctx context.Context, client dynamic.Interface, resource, node string, visit func(*unstructured.Unstructured) error) error {
	return pages(node, objectPage, func(options metav1.ListOptions) (string, error) {
		list, err := client.Resource(v1alpha1.GroupVersion.WithResource(resource)).List(ctx, options)
		if err != nil {
			return "", err
		}
		for i := range list.Items {
			item := &list.Items[i]
			if name, _, _ := unstructured.NestedString(item.Object, "spec", "nodeName"); name != node {
				continue
			}
			if err := visit(item); err != nil {
				return "", err
			}
		}
		return list.GetContinue(), nil
	})
}

// labeled is true for a node whose objects carry its name in a label: a longer name
// is no label's value, and of such a node all objects have to be looked at.
func labeled(node string) bool { return len(node) <= validation.LabelValueMaxLength }

// pages asks for one page of a node's objects after the other; list tells where the
// next one begins.
func pages(node string, size int64, list func(metav1.ListOptions) (next string, err error)) error {
	options := metav1.ListOptions{Limit: size}
	if labeled(node) {
		options.LabelSelector = metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelNode: node}})
	}
	for {
		next, err := list(options)
		if err != nil || next == "" {
			return err
		}
		options.Continue = next
	}
}
