// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Target that a proposal meets.
type Target struct {
	// ThrottledPercent of active periods that the prediction stays below.
	// +kubebuilder:validation:Pattern=`^(100\.0|[0-9]{1,2}\.[0-9])$`
	ThrottledPercent string `json:"throttledPercent"`
	// StallP99Microseconds that the prediction stays below.
	// +kubebuilder:validation:Minimum=0
	StallP99Microseconds int64 `json:"stallP99Microseconds"`
}

// Proposal is a change of resources, computed from spec.counterfactual and
// spec.bursts. What is absent is not proposed to be changed.
type Proposal struct {
	// ContainerName whose resources are to change.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ContainerName string `json:"containerName"`
	// CurrentLimitMillicores at the time of the recording; 0 is no limit.
	// +kubebuilder:validation:Minimum=0
	CurrentLimitMillicores int64 `json:"currentLimitMillicores"`
	// LimitMillicores proposed: the smallest limit of the curve that meets the
	// target, or, with lowerBound, the next step.
	// +kubebuilder:validation:Minimum=1
	LimitMillicores *int64 `json:"limitMillicores,omitempty"`
	// CurrentRequestMillicores and RequestMillicores proposed.
	// +kubebuilder:validation:Minimum=0
	CurrentRequestMillicores int64 `json:"currentRequestMillicores"`
	// +kubebuilder:validation:Minimum=1
	RequestMillicores *int64 `json:"requestMillicores,omitempty"`
	// BurstMicroseconds that would do instead of a higher limit (cpu.max.burst;
	// Kubernetes has no field for it).
	// +kubebuilder:validation:Minimum=0
	BurstMicroseconds *int64 `json:"burstMicroseconds,omitempty"`
	// Target that the limit is to meet.
	Target Target `json:"target"`
	// Predicted at the proposed limit.
	Predicted *Predicted `json:"predicted,omitempty"`
	// LowerBound: more may be needed; apply, and let it be measured again.
	LowerBound bool `json:"lowerBound,omitempty"`
}

// ChangeOutcome holds a prediction against what was measured after a change.
type ChangeOutcome struct {
	// Time of the change.
	Time metav1.MicroTime `json:"time"`
	// LimitMillicores after the change; 0 is no limit.
	// +kubebuilder:validation:Minimum=0
	LimitMillicores int64 `json:"limitMillicores"`
	// Predicted for that limit, read off the curve before the change; absent where the
	// curve does not reach it.
	Predicted *Predicted `json:"predicted,omitempty"`
	// MeasuredThrottledPercent and MeasuredStallP99Microseconds after it; the latter is
	// absent where no recording was made.
	// +kubebuilder:validation:Pattern=`^(100\.0|[0-9]{1,2}\.[0-9])$`
	MeasuredThrottledPercent string `json:"measuredThrottledPercent"`
	// +kubebuilder:validation:Minimum=0
	MeasuredStallP99Microseconds *int64 `json:"measuredStallP99Microseconds,omitempty"`
	// MeasuredPeriods that the percentage is of.
	// +kubebuilder:validation:Minimum=0
	MeasuredPeriods int64 `json:"measuredPeriods"`
	// WithinInterval: the measured share lies between the predicted bounds.
	WithinInterval *bool `json:"withinInterval,omitempty"`
	// TargetMet: the measured figures meet the target.
	TargetMet bool `json:"targetMet"`
	// Summary in one sentence.
	// +kubebuilder:validation:MaxLength=512
	Summary string `json:"summary,omitempty"`
}

// ResizeStep is the last change of a limit that the operator's automation made.
type ResizeStep struct {
	// Time of the step.
	Time metav1.MicroTime `json:"time"`
	// FromMillicores and ToMillicores are the container's limit before and after.
	// +kubebuilder:validation:Minimum=1
	FromMillicores int64 `json:"fromMillicores"`
	// +kubebuilder:validation:Minimum=1
	ToMillicores int64 `json:"toMillicores"`
	// ThrottledPercentBefore and StallP99MicrosecondsBefore are those of kernelTruth
	// at the time of the step: whether it helped is held against them.
	// +kubebuilder:validation:Pattern=`^(100\.0|[0-9]{1,2}\.[0-9])$`
	ThrottledPercentBefore string `json:"throttledPercentBefore"`
	// +kubebuilder:validation:Minimum=0
	StallP99MicrosecondsBefore *int64 `json:"stallP99MicrosecondsBefore,omitempty"`
	// BackedOutTime at which fromMillicores was restored, because the step did not help.
	BackedOutTime *metav1.MicroTime `json:"backedOutTime,omitempty"`
}
