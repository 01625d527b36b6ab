// SPDX-License-Identifier: Apache-2.0

package resize

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Action is what is to be done.
type Action int

// The actions.
const (
	// Nothing is to be done to the pod.
	Nothing Action = iota
	// Raise the limit by one step.
	Raise
	// BackOut restores the limit of before the last step.
	BackOut
)

// Reasons of the condition Resized.
const (
	// ReasonRaised: the limit was raised, and it is being measured whether that helped.
	ReasonRaised = "Raised"
	// ReasonHelped: it did.
	ReasonHelped = "Helped"
	// ReasonBackedOut: it did not, and the old limit was restored. The container is
	// left alone for as long as the pod lives.
	ReasonBackedOut = "BackedOut"
	// ReasonOvertaken: somebody else has changed the limit since.
	ReasonOvertaken = "Overtaken"
	// ReasonAwaitingMeasurement: a step made on account of another whisper is being
	// measured.
	ReasonAwaitingMeasurement = "AwaitingMeasurement"
	// ReasonCoolDown: the last step was not long enough ago.
	ReasonCoolDown = "CoolDown"
	// ReasonCeiling: the limit is at the ceiling.
	ReasonCeiling = "CeilingReached"
	// ReasonNoHeadroom: the node has too little CPU left.
	ReasonNoHeadroom = "NoHeadroom"
	// ReasonNotInPlace: the container cannot be resized in place.
	ReasonNotInPlace = "NotInPlace"
	// ReasonFailed: the API server refused the change, or did not answer.
	ReasonFailed = "ResizeFailed"
)

// Decision is what to do about one whisper, and what its condition Resized says.
type Decision struct {
	Action Action
	// From and To are the container's limit in millicores before and after.
	From, To int64
	// WithRequest moves the CPU request with the limit: the QoS class of a pod cannot
	// change, and Guaranteed means that they are equal.
	WithRequest bool
	// Status, Reason and Message of the condition; without a reason there is none.
	Status  metav1.ConditionStatus
	Reason  string
	Message string
	// Again is when to decide anew though nothing changes; 0 is never.
	Again time.Duration
}

// Situation is all that a decision depends on.
type Situation struct {
	// Whisper with its verdict.
	Whisper *v1alpha1.KernelWhisper
	// Kin are all whispers of the same pod, with their status.
	Kin []v1alpha1.KernelWhisper
	Pod *corev1.Pod
	// Ours is true where the automation was the last to set the container's limit.
	Ours bool
	Now  time.Time
}

func refused(reason, message string) Decision {
	return Decision{Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

func done(reason, message string) Decision {
	return Decision{Status: metav1.ConditionTrue, Reason: reason, Message: message}
}
