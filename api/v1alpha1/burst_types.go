// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Preemptor is who ran while the container was ready and waited for a CPU.
type Preemptor struct {
	// Namespace and Pod, absent for what is no pod.
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// +kubebuilder:validation:MaxLength=253
	Pod string `json:"pod,omitempty"`
	// Container of the same pod, where it is another one than the one that waited.
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container,omitempty"`
	// Cgroup path of who is no pod, from its end.
	// +kubebuilder:validation:MaxLength=128
	Cgroup string `json:"cgroup,omitempty"`
	// WaitMicroseconds for which its threads ran on the CPU that the container's
	// waited for, summed over threads.
	// +kubebuilder:validation:Minimum=0
	WaitMicroseconds int64 `json:"waitMicroseconds"`
}

// Bursts is what was heard of the container's activations while the observer
// leaned in. An activation is one stretch of a thread from the wake that made it
// ready until it blocked (tracepoints sched_waking, sched_wakeup, sched_switch).
// +kubebuilder:validation:XValidation:rule="self.stalledActivations <= self.outsideActivations && self.outsideActivations <= self.activations",message="stalled activations are of the outside ones, and these of all"
type Bursts struct {
	// Time at which the recording ended.
	Time metav1.MicroTime `json:"time"`
	// WindowMilliseconds that were recorded.
	// +kubebuilder:validation:Minimum=1
	WindowMilliseconds int64 `json:"windowMilliseconds"`
	// LimitMillicores of the container itself, and PodLimitMillicores of its pod, while
	// it was recorded. The counters of kernelTruth may be of another limit, and the
	// recording's figures that stand beside them are of this one. LimitMillicores is 0
	// for no limit and absent where it is not known; PodLimitMillicores is absent for both.
	// +kubebuilder:validation:Minimum=0
	LimitMillicores *int64 `json:"limitMillicores,omitempty"`
	// +kubebuilder:validation:Minimum=1
	PodLimitMillicores int64 `json:"podLimitMillicores,omitempty"`
	// Activations that ended in the window.
	// +kubebuilder:validation:Minimum=0
	Activations int64 `json:"activations"`
	// OutsideActivations are those that an interrupt, a timer or a thread of another
	// cgroup woke: they serve somebody. The stalls of kernelTruth are theirs. Not among
	// them are threads that sleep for a time of their own (nanosleep), look after
	// something and need less than 100 µs for it and all that they cause.
	// +kubebuilder:validation:Minimum=0
	OutsideActivations int64 `json:"outsideActivations"`
	// StalledActivations are the outside ones that a quota held for a millisecond
	// or longer, themselves or in an activation that they caused.
	// +kubebuilder:validation:Minimum=0
	StalledActivations int64 `json:"stalledActivations"`
	// CPUMicroseconds, ParkedMicroseconds and QueuedMicroseconds are the threads'
	// time on a CPU, ready and held by a quota, ready and waiting for a CPU.
	// +kubebuilder:validation:Minimum=0
	CPUMicroseconds int64 `json:"cpuMicroseconds"`
	// +kubebuilder:validation:Minimum=0
	ParkedMicroseconds int64 `json:"parkedMicroseconds"`
	// +kubebuilder:validation:Minimum=0
	QueuedMicroseconds int64 `json:"queuedMicroseconds"`
	// PeakCPUMicroseconds is the most CPU time that the outside activations that were
	// woken within one period wanted, with those that they caused: what a burst setting
	// has to absorb.
	// +kubebuilder:validation:Minimum=0
	PeakCPUMicroseconds int64 `json:"peakCPUMicroseconds"`
	// NeverSleptPercent is the share of the CPU time in activations that no outside one
	// caused, if at any time of the window such a one was under way: of a loop that
	// never waits for anybody. 0 otherwise. One decimal.
	// +kubebuilder:validation:Pattern=`^(100\.0|[0-9]{1,2}\.[0-9])$`
	NeverSleptPercent string `json:"neverSleptPercent"`
	// ParallelThreads among which the container divides one piece of work: the mean
	// over outside activations, by their CPU time, of the threads that were woken
	// within 10 ms. Each thread counts by the part that it computed: of n that computed
	// alike it is n.
	// +kubebuilder:validation:Minimum=0
	ParallelThreads int64 `json:"parallelThreads"`
	// LoopingThreads that share the CPU time of neverSleptPercent, counted in the same
	// way; 0 where that is 0.
	// +kubebuilder:validation:Minimum=0
	LoopingThreads int64 `json:"loopingThreads"`
	// Threads that ran. CPUs that they may use.
	// +kubebuilder:validation:Minimum=0
	Threads int64 `json:"threads"`
	// +kubebuilder:validation:Minimum=0
	CPUs int64 `json:"cpus"`
	// Language of the program where it can be told.
	// +kubebuilder:validation:Enum=Go;JVM
	Language string `json:"language,omitempty"`
	// StolenMicroseconds that the hypervisor took from the node's CPUs meanwhile. Absent
	// where the container may not use all of them.
	// +kubebuilder:validation:Minimum=0
	StolenMicroseconds int64 `json:"stolenMicroseconds,omitempty"`
	// RequestMillicores that the container's weight stands for (cpu.shares,
	// cpu.weight), 0 for the least weight.
	// +kubebuilder:validation:Minimum=0
	RequestMillicores int64 `json:"requestMillicores"`
	// Preemptors, the greatest first.
	// +kubebuilder:validation:MaxItems=3
	// +listType=atomic
	Preemptors []Preemptor `json:"preemptors,omitempty"`
	// Lost activations that could not be recorded.
	// +kubebuilder:validation:Minimum=0
	Lost int64 `json:"lost,omitempty"`
}

// Predicted is what a replay gives at one limit. Low and high bound the middle
// 95 % of what replays of resampled stretches of the recording gave, widened by
// the model's own error; P90 is what nine of ten windows like the recorded one stay
// within, put together from its stretches (docs/reference/recommender.md).
// +kubebuilder:validation:XValidation:rule="double(self.throttledPercentLow) <= double(self.throttledPercent) && double(self.throttledPercent) <= double(self.throttledPercentHigh)",message="the interval contains the prediction"
type Predicted struct {
	// LimitMillicores of the container (and of its pod, which the kubelet moves with it).
	// +kubebuilder:validation:Minimum=1
	LimitMillicores int64 `json:"limitMillicores"`
	// ThrottledPercent of active periods, one decimal.
	// +kubebuilder:validation:Pattern=`^(100\.0|[0-9]{1,2}\.[0-9])$`
	ThrottledPercent string `json:"throttledPercent"`
	// +kubebuilder:validation:Pattern=`^(100\.0|[0-9]{1,2}\.[0-9])$`
	ThrottledPercentLow string `json:"throttledPercentLow"`
	// +kubebuilder:validation:Pattern=`^(100\.0|[0-9]{1,2}\.[0-9])$`
	ThrottledPercentHigh string `json:"throttledPercentHigh"`
	// ThrottledPercentP90 is absent where it is the same as throttledPercent.
	// +kubebuilder:validation:Pattern=`^(100\.0|[0-9]{1,2}\.[0-9])$`
	ThrottledPercentP90 string `json:"throttledPercentP90,omitempty"`
	// StallP99Microseconds of outside activations, and its upper bound.
	// +kubebuilder:validation:Minimum=0
	StallP99Microseconds int64 `json:"stallP99Microseconds"`
	// +kubebuilder:validation:Minimum=0
	StallP99MicrosecondsHigh int64 `json:"stallP99MicrosecondsHigh"`
	// StallP99MicrosecondsP90 is absent where it is the same as stallP99Microseconds.
	// +kubebuilder:validation:Minimum=0
	StallP99MicrosecondsP90 int64 `json:"stallP99MicrosecondsP90,omitempty"`
	// UsageMillicores that the container would use.
	// +kubebuilder:validation:Minimum=0
	UsageMillicores int64 `json:"usageMillicores"`
}

// Counterfactual is what the recorded bursts would have met at other limits.
type Counterfactual struct {
	// RecordedMilliseconds and Bursts that were replayed.
	// +kubebuilder:validation:Minimum=1
	RecordedMilliseconds int64 `json:"recordedMilliseconds"`
	// +kubebuilder:validation:Minimum=0
	Bursts int64 `json:"bursts"`
	// LimitMillicores of the container itself while it was recorded: where the
	// pod's quota throttles, kernelTruth has the pod's. Absent: it had none.
	// +kubebuilder:validation:Minimum=1
	LimitMillicores int64 `json:"limitMillicores,omitempty"`
	// ClosedPercent is the share of the CPU time in bursts that follow the
	// container's own completions and move with them. One decimal.
	// +kubebuilder:validation:Pattern=`^(100\.0|[0-9]{1,2}\.[0-9])$`
	ClosedPercent string `json:"closedPercent"`
	// LowerBound: the container was throttled nearly always, and what it wants
	// beyond what it got is not known. Every limit of the curve may prove too low.
	LowerBound bool `json:"lowerBound,omitempty"`
	// Curve by limit, rising.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	Curve []Predicted `json:"curve"`
	// BurstMicroseconds is the least cpu.max.burst that would have met the default
	// target at the present limit; absent where none up to the quota does.
	// +kubebuilder:validation:Minimum=0
	BurstMicroseconds *int64 `json:"burstMicroseconds,omitempty"`
}

// ResourceChange is a change of the CPU limit that the kernel's counters showed,
// and what was measured after it.
type ResourceChange struct {
	// Time at which the change was seen; it happened within a second before.
	Time metav1.MicroTime `json:"time"`
	// FromMillicores and ToMillicores are the container's limit before and after; 0
	// is no limit.
	// +kubebuilder:validation:Minimum=0
	FromMillicores int64 `json:"fromMillicores"`
	// +kubebuilder:validation:Minimum=0
	ToMillicores int64 `json:"toMillicores"`
	// Measured in a window after the change. Absent while the window lasts.
	Measured *KernelTruth `json:"measured,omitempty"`
}
