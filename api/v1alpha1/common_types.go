// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels that both resources carry, so that they can be selected without
// reading spec. The values repeat spec fields.
const (
	// LabelPodUID holds spec.podRef.uid.
	LabelPodUID = "kernel-gossip.io/pod-uid"
	// LabelNode holds spec.nodeName; a name over 63 characters is left out.
	LabelNode = "kernel-gossip.io/node"
)

// AnnotationObserve on a pod or its namespace, with the value "false", opts out.
const AnnotationObserve = "kernel-gossip.io/observe"

// AnnotationAutoResize on a pod or its namespace, with the value "true", lets the
// operator's automation resize the pod's containers; the pod's value wins.
const AnnotationAutoResize = "kernel-gossip.io/auto-resize"

// Condition types.
const (
	// ConditionAssessed is True once the operator has judged the observed generation.
	ConditionAssessed = "Assessed"
	// ConditionActive is True while a whisper's episode lasts.
	ConditionActive = "Active"
	// ConditionResolved is True once a whisper's episode has ended.
	ConditionResolved = "Resolved"
	// ConditionResized says what the operator's automation did about a whisper: True
	// once it has changed the limit, False where it did not or took it back; the
	// reason says why.
	ConditionResized = "Resized"
)

// PodReference names the pod that a resource testifies about. The pod is in
// the resource's own namespace and may be gone by the time it is read.
type PodReference struct {
	// Name of the pod.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// UID of the pod; distinguishes pods that had the same name one after another.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid"`
}

// WorkloadReference names the controller that owns a pod, as the pod's
// controller owner reference has it.
type WorkloadReference struct {
	// Kind of the owner, such as ReplicaSet or Job.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// Name of the owner.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}
