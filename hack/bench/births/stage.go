// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rest lies between two births, with and without the observer: the end of one and
// what is written about it shall not fall into the next.
const rest = 1500 * time.Millisecond

// stage is a namespace of the command's own, and the runtime's CPU clock.
type stage struct {
	client    client.WithWatch
	namespace *corev1.Namespace
	node      string
	clock     string // file, empty where there is none
	count     int
}

func newStage(ctx context.Context, c client.WithWatch, node, cgroup string) (*stage, error) {
	s := &stage{client: c, node: node, namespace: &corev1.Namespace{}}
	s.namespace.GenerateName = "kernel-gossip-bench-"
	if err := c.Create(ctx, s.namespace); err != nil {
		return nil, fmt.Errorf("make a namespace: %w", err)
	}
	for _, form := range []string{"*/%s/cpuacct.usage", "%s/cpu.stat"} {
		if found, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup", fmt.Sprintf(form, cgroup))); len(found) > 0 {
			s.clock = found[0]
			break
		}
	}
	return s, nil
}

func (s *stage) close() error { return s.client.Delete(context.Background(), s.namespace) }

// cpu is the CPU time that the container runtime and all that it started in its
// cgroup have used.
func (s *stage) cpu() (time.Duration, error) {
	if s.clock == "" {
		return 0, nil
	}
	raw, err := os.ReadFile(s.clock)
	if err != nil {
		return 0, err
	}
	text := strings.TrimSpace(string(raw))
	if v, ok := strings.CutPrefix(text, "usage_usec "); ok { // cgroup v2
		text = strings.Fields(v)[0] + "000"
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return time.Duration(n), err
}

// birth starts one pod, measures it, and waits until it is gone.
func (s *stage) birth(ctx context.Context) (birth, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	now, no := int64(0), false
	p := &corev1.Pod{}
	s.count++
	p.Name, p.Namespace = fmt.Sprintf("web-%d", s.count), s.namespace.Name
	p.Spec = corev1.PodSpec{
		AutomountServiceAccountToken: &no, EnableServiceLinks: &no, TerminationGracePeriodSeconds: &now,
		NodeSelector: map[string]string{corev1.LabelHostname: s.node},
		Containers:   []corev1.Container{{Name: "app", Image: "localhost/kernel-gossip/nginx:dev", ImagePullPolicy: corev1.PullIfNotPresent}},
	}
	pods, err := s.client.Watch(ctx, &corev1.PodList{}, client.InNamespace(p.Namespace))
	if err != nil {
		return birth{}, fmt.Errorf("watch pods: %w", err)
	}
	defer pods.Stop()
	used, err := s.cpu()
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
	b := birth{took: time.Since(began)}
	if b.cpu, err = s.cpu(); err != nil {
		return birth{}, err
	}
	b.cpu -= used
	if err := s.client.Delete(ctx, p); err != nil {
		return birth{}, fmt.Errorf("delete a pod: %w", err)
	}
	if err := await(pods, p, func(e watch.EventType, _ *corev1.Pod) bool { return e == watch.Deleted }); err != nil {
		return birth{}, err
	}
	select {
	case <-time.After(rest):
		return b, nil
	case <-ctx.Done():
		return birth{}, ctx.Err()
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
