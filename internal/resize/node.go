// SPDX-License-Identifier: Apache-2.0

package resize

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// Node is what a node can give, in millicores.
type Node struct {
	Allocatable int64
	// Requested by all pods there, the container in question left out.
	Requested int64
}

// NodeOf sums up a node and the pods on it.
func NodeOf(node *corev1.Node, pods []corev1.Pod, except *corev1.Pod, container string) Node {
	n := Node{Allocatable: node.Status.Allocatable.Cpu().MilliValue()}
	for i := range pods {
		if phase := pods[i].Status.Phase; phase != corev1.PodSucceeded && phase != corev1.PodFailed {
			n.Requested += requested(&pods[i])
		}
	}
	if c := containerOf(except, container); c != nil {
		n.Requested -= c.Resources.Requests.Cpu().MilliValue()
	}
	return n
}

// requested is what the scheduler counts for a pod: its containers and sidecars
// together, or an init container with the sidecars before it if that is more.
func requested(pod *corev1.Pod) int64 {
	sidecars, start := int64(0), int64(0)
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		cpu := c.Resources.Requests.Cpu().MilliValue()
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			sidecars += cpu
			start = max(start, sidecars)
			continue
		}
		start = max(start, sidecars+cpu)
	}
	sum := sidecars
	for i := range pod.Spec.Containers {
		sum += pod.Spec.Containers[i].Resources.Requests.Cpu().MilliValue()
	}
	sum = max(sum, start)
	if r := pod.Spec.Resources; r != nil {
		if whole, found := r.Requests[corev1.ResourceCPU]; found {
			sum = whole.MilliValue()
		}
	}
	return sum + pod.Spec.Overhead.Cpu().MilliValue()
}

// Fit holds a step to what the node has left: with this container counted by its
// new limit and all others by their requests, the headroom stays free. So what
// the step adds comes from nobody who asked for it.
func (d Decision) Fit(s Situation, n Node, b Bounds) Decision {
	if d.Action != Raise {
		return d
	}
	room := n.Allocatable*(100-b.HeadroomPercent)/100 - n.Requested
	to := min(d.To, room)
	switch {
	case to == d.To:
		return d
	case float64(to) < leastStep*float64(d.From):
		return refused(ReasonNoHeadroom, fmt.Sprintf("The node has %dm allocatable; %d %% of it kept free, and %dm requested by others, leave %dm for container %s.",
			n.Allocatable, b.HeadroomPercent, n.Requested, max(room, 0), s.Whisper.Spec.ContainerName))
	}
	return raise(s, d.From, to)
}
