// SPDX-License-Identifier: Apache-2.0

package resize

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// mirrorAnnotation marks the API server's image of a static pod, which only
// the file on its node can change.
const mirrorAnnotation = "kubernetes.io/config.mirror"

func containerOf(pod *corev1.Pod, name string) *corev1.Container {
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == name {
			return &pod.Spec.Containers[i]
		}
	}
	return nil
}

// limitOf is a container's CPU limit in millicores, 0 without one.
func limitOf(pod *corev1.Pod, container string) int64 {
	c := containerOf(pod, container)
	if c == nil {
		return 0
	}
	return c.Resources.Limits.Cpu().MilliValue()
}

func guaranteed(pod *corev1.Pod) bool { return pod.Status.QOSClass == corev1.PodQOSGuaranteed }

// notInPlace says why a container cannot be resized where it runs; "" if it can.
func notInPlace(pod *corev1.Pod, container string) string {
	c := containerOf(pod, container)
	switch {
	case c == nil:
		return fmt.Sprintf("Container %s is not among the pod's containers.", container)
	case c.Resources.Limits.Cpu().IsZero():
		return fmt.Sprintf("Container %s has no CPU limit of its own.", container)
	case pod.Spec.Resources != nil:
		return "The pod has resources of its own, above its containers'."
	case pod.Annotations[mirrorAnnotation] != "":
		return "It is a static pod, which only its file on the node can change."
	case resizing(pod):
		return "An earlier resize of the pod is not done."
	}
	for _, policy := range c.ResizePolicy {
		if policy.ResourceName == corev1.ResourceCPU && policy.RestartPolicy == corev1.RestartContainer {
			return fmt.Sprintf("Container %s wants to be restarted when its CPU is resized.", container)
		}
	}
	return ""
}

func resizing(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if (c.Type == corev1.PodResizePending || c.Type == corev1.PodResizeInProgress) && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

// infeasible is true where the kubelet says that its node can never do it.
func infeasible(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodResizePending && c.Status == corev1.ConditionTrue && c.Reason == corev1.PodReasonInfeasible {
			return true
		}
	}
	return false
}
