// SPDX-License-Identifier: Apache-2.0

package resize

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Concerns is true for a whisper that may lead to an action, by the whisper
// alone: most never do, and then nothing else need be read.
func Concerns(w *v1alpha1.KernelWhisper) bool {
	if w.Spec.Reason != v1alpha1.ReasonCPUThrottling {
		return false
	}
	return wanted(w) || w.Status.ResizeStep != nil
}

// wanted is true where the verdict is that somebody is hurt now, and that a
// higher limit would help. Limits are never lowered by the automation. Of an
// episode whose observer has fallen silent nobody knows whether it lasts, and
// nobody would measure what a step does.
func wanted(w *v1alpha1.KernelWhisper) bool {
	p := w.Status.Proposal
	return meta.IsStatusConditionTrue(w.Status.Conditions, v1alpha1.ConditionActive) &&
		(w.Status.Severity == v1alpha1.SeverityCritical || w.Status.Severity == v1alpha1.SeverityWarning) &&
		p != nil && p.LimitMillicores != nil && *p.LimitMillicores > p.CurrentLimitMillicores
}

// OptedIn is true where the pod's owner asked for automation, on the pod or on
// its namespace; the pod's word counts for more. System namespaces cannot ask.
func OptedIn(pod *corev1.Pod, namespace *corev1.Namespace, excluded []string) bool {
	if slices.Contains(excluded, pod.Namespace) {
		return false
	}
	if own, found := pod.Annotations[v1alpha1.AnnotationAutoResize]; found {
		return own == "true"
	}
	return namespace.Annotations[v1alpha1.AnnotationAutoResize] == "true"
}
