// SPDX-License-Identifier: Apache-2.0

package pods

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// keepAnnotation drops all of a namespace but its name and the opt-out.
func keepAnnotation(object any) (any, error) {
	ns, ok := object.(*corev1.Namespace)
	if !ok {
		return object, nil
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: ns.Name, ResourceVersion: ns.ResourceVersion,
		Annotations: only(ns.Annotations, v1alpha1.AnnotationObserve),
	}}, nil
}

// keepOfBirth drops of a pod what Convert does not look at, which is most of it: who
// manages which field, and what its containers are given, secrets of the environment included.
func keepOfBirth(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	kept := &corev1.Pod{Status: pod.Status, ObjectMeta: metav1.ObjectMeta{
		UID: pod.UID, Namespace: pod.Namespace, Name: pod.Name, ResourceVersion: pod.ResourceVersion,
		CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp, OwnerReferences: pod.OwnerReferences,
		Annotations: only(pod.Annotations, v1alpha1.AnnotationObserve, mirrorAnnotation),
	}}
	kept.Spec.NodeName = pod.Spec.NodeName
	kept.Spec.InitContainers = keepOfContainers(pod.Spec.InitContainers)
	kept.Spec.Containers = keepOfContainers(pod.Spec.Containers)
	for _, c := range pod.Spec.EphemeralContainers {
		kept.Spec.EphemeralContainers = append(kept.Spec.EphemeralContainers,
			corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: c.Name}})
	}
	return kept, nil
}

func keepOfContainers(all []corev1.Container) (kept []corev1.Container) {
	for _, c := range all {
		kept = append(kept, corev1.Container{Name: c.Name, Resources: c.Resources, RestartPolicy: c.RestartPolicy})
	}
	return kept
}

// only is the annotations with these names.
func only(all map[string]string, names ...string) map[string]string {
	var kept map[string]string
	for _, name := range names {
		if v, ok := all[name]; ok {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[name] = v
		}
	}
	return kept
}
