// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Reason is the kind of suffering.
// +kubebuilder:validation:Enum=CPUThrottling;CPUContention
type Reason string

// ReasonCPUThrottling is a container stopped by the CPU bandwidth limit of its
// own cgroup, its pod's, or one above.
const ReasonCPUThrottling Reason = "CPUThrottling"

// ReasonCPUContention is a container that is ready to run and waits for a CPU,
// though no limit holds it.
const ReasonCPUContention Reason = "CPUContention"

// ThrottleLevel is the cgroup whose quota stopped the container.
// +kubebuilder:validation:Enum=Container;Pod;Ancestor
type ThrottleLevel string

// The levels. kubelet sets the pod's quota to the sum of its containers', so
// that container and pod compete in stopping a single container.
const (
	ThrottledAtContainer ThrottleLevel = "Container"
	ThrottledAtPod       ThrottleLevel = "Pod"
	ThrottledAtAncestor  ThrottleLevel = "Ancestor"
)

// Severity of a whisper.
// +kubebuilder:validation:Enum=Critical;Warning;Info
type Severity string

// The severities.
const (
	SeverityCritical Severity = "Critical"
	SeverityWarning  Severity = "Warning"
	SeverityInfo     Severity = "Info"
)

// Cause of a whisper.
// +kubebuilder:validation:Enum=LimitTooLow;TooManyThreads;Burst;AncestorLimit;NoisyNeighbour;RequestTooSmall;StolenByHypervisor
type Cause string

// The causes.
const (
	CauseLimitTooLow        Cause = "LimitTooLow"
	CauseTooManyThreads     Cause = "TooManyThreads"
	CauseBurst              Cause = "Burst"
	CauseAncestorLimit      Cause = "AncestorLimit"
	CauseNoisyNeighbour     Cause = "NoisyNeighbour"
	CauseRequestTooSmall    Cause = "RequestTooSmall"
	CauseStolenByHypervisor Cause = "StolenByHypervisor"
)

// KernelTruth is what the kernel counted in a window that ends at
// spec.lastSeenTime, at the level that throttledAt names. The source of the
// counters is struct cfs_bandwidth (kernel/sched/fair.c,
// do_sched_cfs_period_timer and unthrottle_cfs_rq), the same that cpu.stat shows.
// +kubebuilder:validation:XValidation:rule="self.throttledPeriods <= self.periods",message="throttledPeriods cannot exceed periods"
type KernelTruth struct {
	// WindowMilliseconds that the counters cover.
	// +kubebuilder:validation:Minimum=1
	WindowMilliseconds int64 `json:"windowMilliseconds"`
	// Periods of the quota in which the group was active. The kernel does not
	// count periods in which nothing ran.
	// +kubebuilder:validation:Minimum=0
	Periods int64 `json:"periods"`
	// ThrottledPeriods in which the group ran out of quota.
	// +kubebuilder:validation:Minimum=0
	ThrottledPeriods int64 `json:"throttledPeriods"`
	// ThrottledPercent is 100 × throttledPeriods / periods, with one decimal.
	// +kubebuilder:validation:Pattern=`^(100\.0|[0-9]{1,2}\.[0-9])$`
	ThrottledPercent string `json:"throttledPercent"`
	// ThrottledMicroseconds for which CPUs of the group stood still, summed over
	// CPUs and added when a CPU is released.
	// +kubebuilder:validation:Minimum=0
	ThrottledMicroseconds int64 `json:"throttledMicroseconds"`
	// UsageMillicores is the container's CPU time over the window.
	// +kubebuilder:validation:Minimum=0
	UsageMillicores int64 `json:"usageMillicores"`
	// DemandMillicores is usage plus the CPU time for which the container was
	// ready to run and held by a quota, at the level that held it longest: what it
	// would have used without quotas beside the same other workloads, if it always
	// had work. Time in which those held
	// the CPUs is not in it.
	// +kubebuilder:validation:Minimum=0
	DemandMillicores int64 `json:"demandMillicores"`
	// QuotaMicroseconds per period, at the throttling level.
	// +kubebuilder:validation:Minimum=1
	QuotaMicroseconds int64 `json:"quotaMicroseconds,omitempty"`
	// PeriodMicroseconds of the quota, at the throttling level. Absent, as the
	// quota is, where nothing limits the container.
	// +kubebuilder:validation:Minimum=1
	PeriodMicroseconds int64 `json:"periodMicroseconds,omitempty"`
	// ThrottledAt is the level with the greatest share of throttled periods; of
	// equals, the one at which the group stood still for longer. Absent where
	// nothing limits the container.
	ThrottledAt ThrottleLevel `json:"throttledAt,omitempty"`
	// ThreadTimeLostPercent is the share of the threads' runnable time that the
	// quota took, with one decimal. From here on the figures are of the activations
	// of spec.bursts, of its time and at its limit, and absent without it.
	// +kubebuilder:validation:Pattern=`^(100\.0|[0-9]{1,2}\.[0-9])$`
	ThreadTimeLostPercent string `json:"threadTimeLostPercent,omitempty"`
	// StallP50Microseconds is the median stall per activation.
	// +kubebuilder:validation:Minimum=0
	StallP50Microseconds *int64 `json:"stallP50Microseconds,omitempty"`
	// StallP99Microseconds is the 99th percentile of the stall per activation.
	// +kubebuilder:validation:Minimum=0
	StallP99Microseconds *int64 `json:"stallP99Microseconds,omitempty"`
	// RunQueueWaitP99Microseconds is the 99th percentile of the wait for a CPU, of all
	// activations but the naps in which a runtime looks after itself; of one that has not
	// ended, what it has waited within the window.
	// +kubebuilder:validation:Minimum=0
	RunQueueWaitP99Microseconds *int64 `json:"runQueueWaitP99Microseconds,omitempty"`
	// ContextSwitches of the container's threads.
	// +kubebuilder:validation:Minimum=0
	ContextSwitches *int64 `json:"contextSwitches,omitempty"`
	// RunnableThreadsMax is the most threads that were runnable at once.
	// +kubebuilder:validation:Minimum=0
	RunnableThreadsMax *int64 `json:"runnableThreadsMax,omitempty"`
}

// Evidence is one fact that can be checked by hand.
type Evidence struct {
	// Source: the file or kernel counter, with the cgroup's path.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Source string `json:"source"`
	// Before is the value when the window opened.
	// +kubebuilder:validation:MaxLength=64
	Before string `json:"before"`
	// After is the value when the window closed.
	// +kubebuilder:validation:MaxLength=64
	After string `json:"after"`
}

// BurstsMissing is why bursts were not listened to.
// +kubebuilder:validation:Enum=CPUBudget
type BurstsMissing string

// BurstsMissingCPUBudget says that the observer had no CPU time left for it within its own
// budget (--cpu-budget).
const BurstsMissingCPUBudget BurstsMissing = "CPUBudget"

// KernelWhisperSpec is the observer's testimony about one episode. It is
// updated while the episode lasts and final once endTime is set.
// +kubebuilder:validation:XValidation:rule="self.podRef == oldSelf.podRef && self.nodeName == oldSelf.nodeName && self.containerName == oldSelf.containerName && self.reason == oldSelf.reason && self.startTime == oldSelf.startTime",message="podRef, nodeName, containerName, reason and startTime are immutable"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.endTime) || (has(self.endTime) && self.endTime == oldSelf.endTime && self.lastSeenTime == oldSelf.lastSeenTime && self.kernelTruth == oldSelf.kernelTruth && has(self.bursts) == has(oldSelf.bursts) && (!has(self.bursts) || self.bursts == oldSelf.bursts) && has(self.counterfactual) == has(oldSelf.counterfactual) && (!has(self.counterfactual) || self.counterfactual == oldSelf.counterfactual) && has(self.evidence) == has(oldSelf.evidence) && (!has(self.evidence) || self.evidence == oldSelf.evidence) && has(self.missing) == has(oldSelf.missing) && (!has(self.missing) || self.missing == oldSelf.missing) && has(self.burstsMissing) == has(oldSelf.burstsMissing) && (!has(self.burstsMissing) || self.burstsMissing == oldSelf.burstsMissing) && has(self.limitSince) == has(oldSelf.limitSince) && (!has(self.limitSince) || self.limitSince == oldSelf.limitSince))",message="of an episode that has ended only change may still be written"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.endTime) || !has(oldSelf.change) || !has(oldSelf.change.measured) || (has(self.change) && self.change == oldSelf.change)",message="change is immutable once it was measured and the episode has ended"
type KernelWhisperSpec struct {
	// PodRef is the pod that suffers.
	PodRef PodReference `json:"podRef"`
	// NodeName is the node that it runs on.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	NodeName string `json:"nodeName"`
	// ContainerName is the container that suffers.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ContainerName string `json:"containerName"`
	// Reason is the kind of suffering.
	Reason Reason `json:"reason"`
	// StartTime of the episode: the start of the interval in which it was first seen.
	StartTime metav1.MicroTime `json:"startTime"`
	// LastSeenTime is when the counters last showed it.
	LastSeenTime metav1.MicroTime `json:"lastSeenTime"`
	// EndTime of the episode: lastSeenTime, once the quiet that ends an episode
	// has passed or the container is gone.
	EndTime *metav1.MicroTime `json:"endTime,omitempty"`
	// KernelTruth of the latest window.
	KernelTruth KernelTruth `json:"kernelTruth"`
	// Evidence behind kernelTruth.
	// +kubebuilder:validation:MaxItems=12
	// +listType=atomic
	Evidence []Evidence `json:"evidence,omitempty"`
	// Bursts that were heard while the observer leaned in, the latest recording.
	Bursts *Bursts `json:"bursts,omitempty"`
	// BurstsMissing says why there are none, where the observer has refrained from
	// listening. Without it they were not heard yet, or cannot be.
	BurstsMissing BurstsMissing `json:"burstsMissing,omitempty"`
	// Counterfactual: those bursts, replayed at other limits.
	Counterfactual *Counterfactual `json:"counterfactual,omitempty"`
	// Change of the limit, the latest.
	Change *ResourceChange `json:"change,omitempty"`
	// LimitSince is when the container's limit became what it was as the episode began,
	// where it was changed within two minutes before that: what a metric averages over
	// may reach back to another one. Absent where no such change was seen.
	LimitSince *metav1.MicroTime `json:"limitSince,omitempty"`
	// Missing names what the node's kernel does not let the observer hear, and what a
	// reader of this whisper does not get for it, one sentence each.
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:MaxLength=160
	// +listType=atomic
	Missing []string `json:"missing,omitempty"`
}

// KernelWhisperStatus is the operator's verdict.
type KernelWhisperStatus struct {
	// ObservedGeneration is the generation of the spec that was judged.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Severity of the episode.
	Severity Severity `json:"severity,omitempty"`
	// Cause of the episode, where the evidence names one.
	Cause Cause `json:"cause,omitempty"`
	// SecondCause where the evidence names two.
	SecondCause Cause `json:"secondCause,omitempty"`
	// Insight in one sentence.
	// +kubebuilder:validation:MaxLength=512
	Insight string `json:"insight,omitempty"`
	// Recommendation, derived from what was measured.
	// +kubebuilder:validation:MaxLength=512
	Recommendation string `json:"recommendation,omitempty"`
	// KernelEvidence in one line.
	// +kubebuilder:validation:MaxLength=512
	KernelEvidence string `json:"kernelEvidence,omitempty"`
	// MetricsLie is the metric's claim.
	MetricsLie *MetricsLie `json:"metricsLie,omitempty"`
	// Proposal of other resources.
	Proposal *Proposal `json:"proposal,omitempty"`
	// Outcome of the latest change of resources.
	Outcome *ChangeOutcome `json:"outcome,omitempty"`
	// ResizeStep is the automation's last change of this container's limit, made on
	// account of this whisper.
	ResizeStep *ResizeStep `json:"resizeStep,omitempty"`
	// Conditions: Active, Resolved, Assessed; Resized where the owner asked for automation.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// KernelWhisper is one episode of a container suffering in a way that ordinary
// metrics hide. Its name is made of the pod, the container and the start, so
// that an episode has one object however often it is written.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=kw,categories=gossip
// +kubebuilder:printcolumn:name="Pod",type=string,JSONPath=`.spec.podRef.name`
// +kubebuilder:printcolumn:name="Container",type=string,JSONPath=`.spec.containerName`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`
// +kubebuilder:printcolumn:name="Throttled %",type=string,JSONPath=`.spec.kernelTruth.throttledPercent`
// +kubebuilder:printcolumn:name="Reported %",type=string,JSONPath=`.status.metricsLie.percentOfLimit`
// +kubebuilder:printcolumn:name="Severity",type=string,JSONPath=`.status.severity`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].status`
// +kubebuilder:printcolumn:name="Node",type=string,JSONPath=`.spec.nodeName`,priority=1
// +kubebuilder:printcolumn:name="Evidence",type=string,JSONPath=`.status.kernelEvidence`,priority=1
// +kubebuilder:printcolumn:name="Recommendation",type=string,JSONPath=`.status.recommendation`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type KernelWhisper struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the observer's testimony.
	Spec KernelWhisperSpec `json:"spec"`
	// Status is the operator's verdict.
	Status KernelWhisperStatus `json:"status,omitempty"`
}

// KernelWhisperList is a list of whispers.
//
// +kubebuilder:object:root=true
type KernelWhisperList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KernelWhisper `json:"items"`
}
