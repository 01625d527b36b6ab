// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// node is an object that no kubelet stands behind; its pods are told to be running.
type node struct {
	client    client.Client
	namespace *corev1.Namespace
	object    *corev1.Node
	name      string
}

func newNode(ctx context.Context) (*node, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read KUBECONFIG: %w", err)
	}
	config.QPS, config.Burst = 100, 100
	c, err := client.New(config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	n := &node{client: c, name: "kernel-gossip-bench", namespace: &corev1.Namespace{}, object: &corev1.Node{}}
	n.object.Name, n.object.Spec.Unschedulable = n.name, true
	if err := c.Create(ctx, n.object); err != nil {
		return nil, fmt.Errorf("make a node: %w", err)
	}
	n.namespace.GenerateName = "kernel-gossip-bench-"
	if err := c.Create(ctx, n.namespace); err != nil {
		return nil, fmt.Errorf("make a namespace: %w", err)
	}
	return n, nil
}

// add makes a pod on the node and says that it runs. It returns its UID.
func (n *node) add(ctx context.Context, i int) (string, error) {
	no, now := false, int64(0)
	p := &corev1.Pod{}
	p.Name, p.Namespace = fmt.Sprintf("web-%d", i), n.namespace.Name
	p.Spec = corev1.PodSpec{
		NodeName: n.name, AutomountServiceAccountToken: &no, TerminationGracePeriodSeconds: &now,
		Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
	}
	for _, name := range []string{"app", "beside"} {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, Image: "localhost/kernel-gossip/nginx:dev"})
	}
	if err := n.client.Create(ctx, p); err != nil {
		return "", fmt.Errorf("create a pod: %w", err)
	}
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	started := true
	for k, c := range p.Spec.Containers {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: true, Started: &started,
			ContainerID: "containerd://" + strings.Repeat(string(rune('a'+k)), 32) + strings.ReplaceAll(string(p.UID), "-", ""),
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		})
	}
	if err := n.client.Status().Update(ctx, p); err != nil {
		return "", fmt.Errorf("set a pod's status: %w", err)
	}
	return string(p.UID), nil
}

// remove deletes the pods at once, nobody else would confirm that they have ended.
func (n *node) remove() error {
	ctx := context.Background()
	if err := n.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(n.namespace.Name), client.GracePeriodSeconds(0)); err != nil {
		return fmt.Errorf("delete the pods: %w", err)
	}
	if err := n.client.Delete(ctx, n.namespace); err != nil {
		return fmt.Errorf("delete the namespace: %w", err)
	}
	return n.client.Delete(ctx, n.object)
}
