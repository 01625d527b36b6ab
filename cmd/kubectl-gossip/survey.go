// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
)

// page is how many objects are asked for at once.
const page = 500

// observerSelector finds the observers' pods.
const observerSelector = "app.kubernetes.io/name=kernel-observer"

// survey asks a cluster.
type survey struct {
	client    kubernetes.Interface
	namespace string // of the installation
	progress  progress
	// nodesHidden is set where the caller may not read nodes: those without an
	// observer are then not known.
	nodesHidden bool
}

// patient is a node and how its observer is reached.
type patient struct {
	doctor.Node
	port string // of the observer's answers; empty where it cannot be asked
}

// patients are the nodes with Linux, and their observers.
func (s *survey) patients(ctx context.Context) ([]*patient, error) {
	all, err := s.nodes(ctx)
	switch {
	case apierrors.IsForbidden(err):
		s.nodesHidden = true
	case err != nil:
		return nil, fmt.Errorf("list the nodes: %w", err)
	}
	byName := map[string]*patient{}
	for _, p := range all {
		byName[p.Name] = p
	}
	pods, err := s.observers(ctx)
	if err != nil {
		return nil, err
	}
	for i := range pods {
		name := pods[i].Spec.NodeName
		if name == "" {
			continue
		}
		if s.nodesHidden && byName[name] == nil {
			byName[name] = &patient{Node: doctor.Node{Name: name}}
			all = append(all, byName[name])
		}
		if p := byName[name]; p != nil {
			p.take(&pods[i])
		}
	}
	for _, p := range all {
		if p.Pod == "" && p.Problem == "" {
			p.Problem = "no observer runs on it"
		}
	}
	slices.SortFunc(all, func(a, b *patient) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// nodes are asked for in pages: an object of a node is large, and little of it is kept.
func (s *survey) nodes(ctx context.Context) ([]*patient, error) {
	var out []*patient
	for o := (metav1.ListOptions{Limit: page}); ; {
		list, err := s.client.CoreV1().Nodes().List(ctx, o)
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			n := &list.Items[i]
			if system := cmp.Or(n.Status.NodeInfo.OperatingSystem, n.Labels[corev1.LabelOSStable]); system != "" && system != "linux" {
				continue
			}
			info := n.Status.NodeInfo
			p := &patient{Node: doctor.Node{
				Name: n.Name, Kernel: info.KernelVersion, Architecture: info.Architecture, Runtime: info.ContainerRuntimeVersion,
			}}
			if !isReady(n.Status.Conditions) {
				p.Problem = notReady
			}
			out = append(out, p)
		}
		if o.Continue = list.Continue; o.Continue == "" {
			return out, nil
		}
	}
}

func isReady(conditions []corev1.NodeCondition) bool {
	for _, c := range conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// observers are the pods of the DaemonSet.
func (s *survey) observers(ctx context.Context) ([]corev1.Pod, error) {
	var out []corev1.Pod
	for o := (metav1.ListOptions{Limit: page, LabelSelector: observerSelector}); ; {
		list, err := s.client.CoreV1().Pods(s.namespace).List(ctx, o)
		if apierrors.IsForbidden(err) {
			return nil, fmt.Errorf("list the observers' pods: %w: %s", err, giveRights)
		}
		if err != nil {
			return nil, fmt.Errorf("list the observers' pods: %w", err)
		}
		out = append(out, list.Items...)
		if o.Continue = list.Continue; o.Continue == "" {
			return out, nil
		}
	}
}

// take notes how a node's observer is reached. While a pod is replaced there are
// two of them: the one that runs counts.
func (p *patient) take(pod *corev1.Pod) {
	problem := podProblem(pod)
	if p.Pod != "" && (p.port != "" || problem != "" && pod.DeletionTimestamp != nil) {
		return
	}
	p.Pod = pod.Name
	if p.Problem != "" && p.Problem == notReady {
		return
	}
	p.Problem, p.port = problem, ""
	if problem == "" {
		p.port = metricsPort(pod)
	}
}

const notReady = "the node is not Ready"

// podProblem is why a pod cannot be asked; empty if it can.
func podProblem(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return "its observer is being removed"
	}
	for _, s := range pod.Status.ContainerStatuses {
		if w := s.State.Waiting; w != nil && w.Reason != "" {
			return "its observer does not run: " + w.Reason + restarts(s.RestartCount)
		}
		if s.State.Terminated != nil {
			return fmt.Sprintf("its observer ended with exit code %d", s.State.Terminated.ExitCode) + restarts(s.RestartCount)
		}
	}
	if pod.Status.Phase != corev1.PodRunning {
		return "its observer is " + string(pod.Status.Phase)
	}
	return ""
}

func restarts(n int32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (restarted %d times)", n)
}

// metricsPort is where an observer answers.
func metricsPort(pod *corev1.Pod) string {
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == "metrics" {
				return fmt.Sprint(p.ContainerPort)
			}
		}
	}
	return "9464"
}
