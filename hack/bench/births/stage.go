// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Between two births, with and without the observer: what is written about one shall
// not fall into its end, nor its end into the next.
const (
	lasts = time.Second
	rest  = 700 * time.Millisecond
)

// stage is a namespace of the command's own, and the CPU clocks of the node.
type stage struct {
	client    client.WithWatch
	namespace *corev1.Namespace
	node      string
	clocks    *clocks
	count     int
}

func newStage(ctx context.Context, c client.WithWatch, node, system string) (*stage, error) {
	s := &stage{client: c, node: node, namespace: &corev1.Namespace{}, clocks: newClocks(system)}
	s.namespace.GenerateName = "kernel-gossip-bench-"
	if err := c.Create(ctx, s.namespace); err != nil {
		return nil, fmt.Errorf("make a namespace: %w", err)
	}
	return s, nil
}

func (s *stage) close() error { return s.client.Delete(context.Background(), s.namespace) }

func (s *stage) pod() *corev1.Pod {
	now, no := int64(0), false
	s.count++
	p := &corev1.Pod{}
	p.Name, p.Namespace = fmt.Sprintf("web-%d", s.count), s.namespace.Name
	p.Spec = corev1.PodSpec{
		AutomountServiceAccountToken: &no, EnableServiceLinks: &no, TerminationGracePeriodSeconds: &now,
		NodeSelector: map[string]string{corev1.LabelHostname: s.node},
		Containers:   []corev1.Container{{Name: "app", Image: "localhost/kernel-gossip/nginx:dev", ImagePullPolicy: corev1.PullIfNotPresent}},
	}
	return p
}

// birth starts one pod, measures it, waits until it is gone, and rests.
func (s *stage) birth(ctx context.Context) (birth, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p := s.pod()
	pods, err := s.client.Watch(ctx, &corev1.PodList{}, client.InNamespace(p.Namespace))
	if err != nil {
		return birth{}, fmt.Errorf("watch pods: %w", err)
	}
	defer pods.Stop()
	atFirst, err := s.clocks.read()
	if err != nil {
		return birth{}, err
	}
	began := time.Now()
	if err := s.client.Create(ctx, p); err != nil {
		return birth{}, fmt.Errorf("create a pod: %w", err)
	}
	if err := await(pods, p, func(_ watch.EventType, seen *corev1.Pod) bool { return isReady(seen) }); err != nil {
		return birth{}, err
	}
	b := birth{Took: time.Since(began)}
	atReady, err := s.clocks.read()
	if err != nil {
		return birth{}, err
	}
	if err := s.end(ctx, pods, p); err != nil {
		return birth{}, err
	}
	atLast, err := s.clocks.read()
	if err != nil {
		return birth{}, err
	}
	b.Before, b.After = atReady.since(atFirst), atLast.since(atReady)
	return b, nil
}

// end lets the certificate be written, deletes the pod, waits until it is gone and rests.
func (s *stage) end(ctx context.Context, pods watch.Interface, p *corev1.Pod) error {
	if err := pause(ctx, lasts); err != nil {
		return err
	}
	if err := s.client.Delete(ctx, p); err != nil {
		return fmt.Errorf("delete a pod: %w", err)
	}
	if err := await(pods, p, func(e watch.EventType, _ *corev1.Pod) bool { return e == watch.Deleted }); err != nil {
		return err
	}
	return pause(ctx, rest)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func await(pods watch.Interface, p *corev1.Pod, holds func(watch.EventType, *corev1.Pod) bool) error {
	for e := range pods.ResultChan() {
		if seen, ok := e.Object.(*corev1.Pod); ok && seen.UID == p.UID && holds(e.Type, seen) {
			return nil
		}
	}
	return fmt.Errorf("pod %s: the watch ended, or it took longer than %s", p.Name, patience)
}
