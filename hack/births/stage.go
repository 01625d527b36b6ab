// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// patience is how long a birth and its certificate may take.
const patience = 2 * time.Minute

// stage is a namespace of the command's own.
type stage struct {
	client    client.WithWatch
	namespace *corev1.Namespace
	node      string
}

func newStage(ctx context.Context, c client.WithWatch) (*stage, error) {
	nodes, err := readyNodes(ctx, c)
	if err != nil {
		return nil, err
	}
	s := &stage{client: c, namespace: &corev1.Namespace{}, node: nodes[0].Labels[corev1.LabelHostname]}
	s.namespace.GenerateName = "kernel-gossip-births-"
	if err := c.Create(ctx, s.namespace); err != nil {
		return nil, fmt.Errorf("make a namespace: %w", err)
	}
	return s, nil
}

// close removes the namespace, also after an interrupt.
func (s *stage) close() error {
	if err := s.client.Delete(context.Background(), s.namespace); err != nil {
		return fmt.Errorf("delete namespace %s: %w", s.namespace.Name, err)
	}
	return nil
}

func readyNodes(ctx context.Context, c client.Client) ([]corev1.Node, error) {
	nodes := &corev1.NodeList{}
	if err := c.List(ctx, nodes); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	var ready []corev1.Node
	for _, n := range nodes.Items {
		for _, condition := range n.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue && len(n.Spec.Taints) == 0 {
				ready = append(ready, n)
			}
		}
	}
	if len(ready) == 0 {
		return nil, errors.New("no node is Ready")
	}
	return ready, nil
}

// birth starts one pod, waits for its certificate and for its end.
func (s *stage) birth(ctx context.Context, image string, n int) (*v1alpha1.PodBirthCertificate, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p := pod(image, n)
	p.Namespace, p.Spec.NodeSelector = s.namespace.Name, map[string]string{corev1.LabelHostname: s.node}
	told, err := s.client.Watch(ctx, &v1alpha1.PodBirthCertificateList{}, client.InNamespace(p.Namespace))
	if err != nil {
		return nil, fmt.Errorf("watch certificates: %w", err)
	}
	defer told.Stop()
	if err := s.client.Create(ctx, p); err != nil {
		return nil, fmt.Errorf("create a pod of %s: %w", image, err)
	}
	certificate, err := await(told, p)
	if err != nil {
		return nil, fmt.Errorf("birth of %s: %w", image, err)
	}
	return certificate, s.end(ctx, p)
}

func pod(image string, n int) *corev1.Pod {
	now, no := int64(0), false
	p := &corev1.Pod{}
	p.Name = fmt.Sprintf("%s-%d", image, n)
	p.Spec = corev1.PodSpec{
		AutomountServiceAccountToken: &no, EnableServiceLinks: &no, TerminationGracePeriodSeconds: &now,
		Containers: []corev1.Container{{
			Name: "app", Image: "localhost/kernel-gossip/" + image + ":dev", ImagePullPolicy: corev1.PullIfNotPresent,
		}},
	}
	return p
}

// await waits for the certificate that is the last word on a pod's birth.
func await(told watch.Interface, p *corev1.Pod) (*v1alpha1.PodBirthCertificate, error) {
	for e := range told.ResultChan() {
		c, ok := e.Object.(*v1alpha1.PodBirthCertificate)
		if !ok || c.Spec.PodRef.UID != string(p.UID) {
			continue
		}
		switch own := c.Spec.Milestones.Containers; {
		case c.Spec.Outcome == v1alpha1.OutcomeFailed:
			return nil, fmt.Errorf("it failed: %+v", *c.Spec.Failure)
		case c.Spec.Outcome != v1alpha1.OutcomeReady:
			continue // it goes on
		case len(own) != 1 || own[0].FirstListen == nil:
			return nil, errors.New("it does not listen")
		}
		return c, nil
	}
	return nil, fmt.Errorf("no certificate within %s", patience)
}

// end deletes a pod and waits until it is gone, so that no birth is disturbed by
// the end of another.
func (s *stage) end(ctx context.Context, p *corev1.Pod) error {
	pods, err := s.client.Watch(ctx, &corev1.PodList{}, client.InNamespace(p.Namespace))
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	defer pods.Stop()
	if err := s.client.Delete(ctx, p); err != nil {
		return fmt.Errorf("delete pod %s: %w", p.Name, err)
	}
	for e := range pods.ResultChan() {
		if gone, ok := e.Object.(*corev1.Pod); ok && e.Type == watch.Deleted && gone.UID == p.UID {
			return nil
		}
	}
	return fmt.Errorf("pod %s is not gone", p.Name)
}
