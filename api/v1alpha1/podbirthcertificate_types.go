// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Clock says by which clock a moment was taken, and so how exact it is.
// +kubebuilder:validation:Enum=Kernel;Watch;API
type Clock string

// The clocks, most exact first.
const (
	// ClockKernel is the kernel's monotonic clock, read in the event itself (nanoseconds).
	ClockKernel Clock = "Kernel"
	// ClockWatch is the node's clock when the API server's watch delivered the
	// change (late by the delivery, typically milliseconds).
	ClockWatch Clock = "Watch"
	// ClockAPI is a timestamp inside an API object (whole seconds).
	ClockAPI Clock = "API"
)

// Actor is a party to a birth.
// +kubebuilder:validation:Enum=Scheduler;Kubelet;Runtime;CNI;Kernel;Workload
type Actor string

// The actors. Runtime is the container runtime with its shim and its monitors,
// up to the exec of the entrypoint; Workload is everything after that exec.
const (
	ActorScheduler Actor = "Scheduler"
	ActorKubelet   Actor = "Kubelet"
	ActorRuntime   Actor = "Runtime"
	ActorCNI       Actor = "CNI"
	ActorKernel    Actor = "Kernel"
	ActorWorkload  Actor = "Workload"
)

// SandboxContainer is the container name under which the pod's sandbox (the
// pause container) appears; no container of a pod can bear it.
const SandboxContainer = "(sandbox)"

// Outcome is how a birth ended, as far as it was heard.
// +kubebuilder:validation:Enum=Pending;Ready;Running;Failed
type Outcome string

// The outcomes. Pending is a birth that goes on and has not failed: its
// certificate is not complete and will be written again. Running is one whose
// containers run but whose pod was not seen Ready.
const (
	OutcomePending Outcome = "Pending"
	OutcomeReady   Outcome = "Ready"
	OutcomeRunning Outcome = "Running"
	OutcomeFailed  Outcome = "Failed"
)

// TimelineEntry is one event of a birth.
type TimelineEntry struct {
	// OffsetMicroseconds is the time since spec.origin.
	// +kubebuilder:validation:Minimum=0
	OffsetMicroseconds int64 `json:"offsetMicroseconds"`
	// Actor whose deed it was.
	Actor Actor `json:"actor"`
	// Container that it was done for, where it was done for one.
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container,omitempty"`
	// Action in one word, such as CgroupCreated or EntrypointExec.
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z]{1,39}$`
	Action string `json:"action"`
	// Detail names the object of the action: a file, a port, namespace types. It
	// never holds arguments or environment.
	// +kubebuilder:validation:MaxLength=160
	Detail string `json:"detail,omitempty"`
}

// Scheduling is the time before the birth was heard on its node, by the API
// server's clock in whole seconds.
type Scheduling struct {
	// CreatedTime is when the pod object was made.
	CreatedTime metav1.Time `json:"createdTime"`
	// ScheduledTime is when the pod was bound to the node.
	ScheduledTime *metav1.Time `json:"scheduledTime,omitempty"`
}

// BirthFailure is where a birth died.
type BirthFailure struct {
	// Step in one word, such as ContainerCreate or Entrypoint.
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z]{1,39}$`
	Step string `json:"step"`
	// Actor by whose hand it failed.
	Actor Actor `json:"actor"`
	// Container concerned, where it was one.
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container,omitempty"`
	// Errno of the failing system call, by name, such as ENOENT.
	// +kubebuilder:validation:Pattern=`^E[A-Z0-9]{1,20}$`
	Errno string `json:"errno,omitempty"`
	// Reason in one word, as the kernel or the API has it, such as OOMKilled or ErrImagePull.
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z]{1,39}$`
	Reason string `json:"reason,omitempty"`
	// File that the failing call was about, where it was about one: an entrypoint, a CNI plugin.
	// +kubebuilder:validation:MaxLength=160
	File string `json:"file,omitempty"`
	// ExitCode of the process that failed.
	ExitCode *int32 `json:"exitCode,omitempty"`
	// Signal that killed the process, by name, such as SIGKILL.
	// +kubebuilder:validation:Pattern=`^SIG[A-Z0-9]{1,12}$`
	Signal string `json:"signal,omitempty"`
	// Message as the API reported it.
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// StepAttempts are the failed attempts at one step.
type StepAttempts struct {
	// Step that failed, as in failure.step; of several of one container the one that
	// failed last. Absent where only the number of restarts is known.
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z]{1,39}$`
	Step string `json:"step,omitempty"`
	// Container concerned, (sandbox) for the pod's sandbox and its network; absent where
	// it is not known.
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container,omitempty"`
	// Reason of the latest in one word, as the API has it, such as ErrImagePull; absent
	// where nobody gave one.
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z]{1,39}$`
	Reason string `json:"reason,omitempty"`
	// Failed is how many attempts failed, as far as was heard.
	// +kubebuilder:validation:Minimum=1
	Failed int32 `json:"failed"`
	// LastFailed is when the latest was heard to have failed; absent where only their
	// number is known.
	LastFailed *Milestone `json:"lastFailed,omitempty"`
}

// PodBirthCertificateSpec is the observer's testimony. It is written once;
// when complete is true it never changes.
// +kubebuilder:validation:XValidation:rule="!oldSelf.complete || self == oldSelf",message="spec is immutable once complete is true"
// +kubebuilder:validation:XValidation:rule="self.podRef == oldSelf.podRef && self.nodeName == oldSelf.nodeName",message="podRef and nodeName are immutable"
// +kubebuilder:validation:XValidation:rule="(self.outcome == 'Failed') == has(self.failure)",message="failure is present exactly when outcome is Failed"
// +kubebuilder:validation:XValidation:rule="!(self.complete && has(self.underWay) && self.underWay)",message="a birth that is under way is not complete"
type PodBirthCertificateSpec struct {
	// PodRef is the pod that was born.
	PodRef PodReference `json:"podRef"`
	// WorkloadRef is the pod's controller.
	WorkloadRef *WorkloadReference `json:"workloadRef,omitempty"`
	// NodeName is the node that it was born on.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	NodeName string `json:"nodeName"`
	// Runtime that made the containers: containerd, cri-o or the name of another.
	// +kubebuilder:validation:MaxLength=63
	Runtime string `json:"runtime,omitempty"`
	// Complete is true when nothing that belongs to the birth was missed.
	Complete bool `json:"complete"`
	// Outcome of the birth, or how it stands.
	Outcome Outcome `json:"outcome"`
	// UnderWay is true while the birth is not over: nothing has failed yet, or the
	// kubelet keeps trying. The certificate is written again.
	UnderWay bool `json:"underWay,omitempty"`
	// Failure is where the birth died.
	Failure *BirthFailure `json:"failure,omitempty"`
	// FailedAttempts is how many attempts failed before the outcome, as far as was
	// heard: sandboxes that were given up, images that could not be pulled, containers
	// whose configuration could not be used, and containers that ended and were started
	// again. Once the pod had been Ready a restart is not counted.
	// +kubebuilder:validation:Minimum=0
	FailedAttempts int32 `json:"failedAttempts,omitempty"`
	// Attempts divides failedAttempts by step and container; of more than 16 those that
	// failed most.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	Attempts []StepAttempts `json:"attempts,omitempty"`
	// Duration is kernelStats.durationMicroseconds for people, such as 512ms or 1.34s.
	// +kubebuilder:validation:MaxLength=16
	Duration string `json:"duration"`
	// Origin of all offsets.
	Origin Origin `json:"origin"`
	// Scheduling is the time before the origin; absent where no API server told.
	Scheduling *Scheduling `json:"scheduling,omitempty"`
	// Milestones of the birth.
	Milestones Milestones `json:"milestones"`
	// Timeline of the events that matter, in order.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	Timeline []TimelineEntry `json:"timeline,omitempty"`
	// Phases: where the time went.
	// +kubebuilder:validation:MaxItems=48
	// +listType=atomic
	Phases []Phase `json:"phases,omitempty"`
	// KernelStats: what it took.
	KernelStats KernelStats `json:"kernelStats"`
	// Coverage: how much of it was heard.
	Coverage Coverage `json:"coverage"`
}

// BirthComparison holds a birth against earlier births of the same workload.
type BirthComparison struct {
	// Births is how many earlier births were compared.
	// +kubebuilder:validation:Minimum=1
	Births int32 `json:"births"`
	// MedianMicroseconds of their durations.
	// +kubebuilder:validation:Minimum=0
	MedianMicroseconds int64 `json:"medianMicroseconds"`
	// LowerQuartileMicroseconds and UpperQuartileMicroseconds bound the middle
	// half of their durations; absent with fewer than four births.
	// +kubebuilder:validation:Minimum=0
	LowerQuartileMicroseconds *int64 `json:"lowerQuartileMicroseconds,omitempty"`
	// +kubebuilder:validation:Minimum=0
	UpperQuartileMicroseconds *int64 `json:"upperQuartileMicroseconds,omitempty"`
	// Ratio of this birth's duration to that median, with two decimals.
	// +kubebuilder:validation:Pattern=`^[0-9]{1,7}\.[0-9]{2}$`
	Ratio string `json:"ratio"`
	// Phase that made the difference; absent where the birth took about as long
	// as usual, or where no phase accounts for most of the difference.
	Phase *PhaseComparison `json:"phase,omitempty"`
}

// PhaseComparison holds one phase against the same phase of earlier births.
type PhaseComparison struct {
	// Name of the phase.
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z]{1,39}$`
	Name string `json:"name"`
	// Container of the phase.
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container,omitempty"`
	// Detail of the phase.
	// +kubebuilder:validation:MaxLength=63
	Detail string `json:"detail,omitempty"`
	// Microseconds that it took this time.
	// +kubebuilder:validation:Minimum=0
	Microseconds int64 `json:"microseconds"`
	// MedianMicroseconds of the earlier births; 0 where most of them do not have the phase.
	// +kubebuilder:validation:Minimum=0
	MedianMicroseconds int64 `json:"medianMicroseconds"`
}

// PodBirthCertificateStatus is the operator's verdict.
type PodBirthCertificateStatus struct {
	// ObservedGeneration is the generation of the spec that was judged.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Insight in one sentence.
	// +kubebuilder:validation:MaxLength=512
	Insight string `json:"insight,omitempty"`
	// Comparison with earlier births of the workload; absent for the first.
	Comparison *BirthComparison `json:"comparison,omitempty"`
	// Conditions: Assessed.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// PodBirthCertificate is the true story of how one pod came to life. Its name
// is the pod's name (cut where it must be) and the first eight characters of
// the pod's UID.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=pbc,categories=gossip
// +kubebuilder:printcolumn:name="Pod",type=string,JSONPath=`.spec.podRef.name`
// +kubebuilder:printcolumn:name="Outcome",type=string,JSONPath=`.spec.outcome`
// +kubebuilder:printcolumn:name="Syscalls",type=integer,JSONPath=`.spec.kernelStats.totalSyscalls`
// +kubebuilder:printcolumn:name="Duration",type=string,JSONPath=`.spec.duration`
// +kubebuilder:printcolumn:name="Coverage",type=string,JSONPath=`.spec.coverage.attributedPercent`
// +kubebuilder:printcolumn:name="Node",type=string,JSONPath=`.spec.nodeName`,priority=1
// +kubebuilder:printcolumn:name="Insight",type=string,JSONPath=`.status.insight`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type PodBirthCertificate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the observer's testimony.
	Spec PodBirthCertificateSpec `json:"spec"`
	// Status is the operator's verdict.
	Status PodBirthCertificateStatus `json:"status,omitempty"`
}

// PodBirthCertificateList is a list of certificates.
//
// +kubebuilder:object:root=true
type PodBirthCertificateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PodBirthCertificate `json:"items"`
}
