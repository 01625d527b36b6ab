// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// LossReason is why something that happened was not heard.
// +kubebuilder:validation:Enum=RingFull;SessionTableFull;ThreadTableFull;ProgramSkipped;WatchQueueFull;BirthBufferFull
type LossReason string

// The reasons. RingFull is the ring of events, SessionTableFull and
// ThreadTableFull the kernel's tables; ProgramSkipped are runs of a program that
// the kernel left out; WatchQueueFull is the queue of inotify, by which cgroups are
// heard where BPF does not tell of them; BirthBufferFull are events beyond those that
// are kept for one birth.
const (
	LossRingFull         LossReason = "RingFull"
	LossSessionTableFull LossReason = "SessionTableFull"
	LossThreadTableFull  LossReason = "ThreadTableFull"
	LossProgramSkipped   LossReason = "ProgramSkipped"
	LossWatchQueueFull   LossReason = "WatchQueueFull"
	LossBirthBufferFull  LossReason = "BirthBufferFull"
)

// Loss counts what was not heard for one reason.
type Loss struct {
	// Reason of the loss.
	Reason LossReason `json:"reason"`
	// Count of events; of threads or sessions where a table was full; of the times
	// that the queue of watches was full: nobody counts what did not fit into it.
	// +kubebuilder:validation:Minimum=1
	Count int64 `json:"count"`
}

// CoverageEvents counts the birth events that were heard on the node while this
// birth lasted, each in one of the other fields.
// +kubebuilder:validation:XValidation:rule="self.heard == self.attributed + self.others + self.daemons + self.unresolved",message="heard must be the sum of the other fields"
type CoverageEvents struct {
	// Heard in all.
	// +kubebuilder:validation:Minimum=0
	Heard int64 `json:"heard"`
	// Attributed to this birth.
	// +kubebuilder:validation:Minimum=0
	Attributed int64 `json:"attributed"`
	// Others are of other pods, or of no birth: an exec into a container, a
	// probe, the end of a container.
	// +kubebuilder:validation:Minimum=0
	Others int64 `json:"others"`
	// Daemons are deeds of daemons that serve all pods (kubelet, container
	// runtime, systemd) whose argument names no pod.
	// +kubebuilder:validation:Minimum=0
	Daemons int64 `json:"daemons"`
	// Unresolved are of processes whose pod is not known.
	// +kubebuilder:validation:Minimum=0
	Unresolved int64 `json:"unresolved"`
}

// Coverage says how much of the birth was heard.
type Coverage struct {
	// AttributedPercent is the share of the kernel events of birth sessions,
	// heard on the node while this birth lasted, whose pod is known, with one decimal.
	// +kubebuilder:validation:Pattern=`^(100\.0|[0-9]{1,2}\.[0-9])$`
	AttributedPercent string `json:"attributedPercent"`
	// LostEvents is how many events the node lost (ring buffer, map or queue full) while
	// this birth lasted. Of a queue of watches, which tells no number, each time counts
	// as one.
	// +kubebuilder:validation:Minimum=0
	LostEvents int64 `json:"lostEvents"`
	// Events counts them by whose they were.
	Events *CoverageEvents `json:"events,omitempty"`
	// Lost divides lostEvents by reason, and counts what was cut from this certificate.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=reason
	Lost []Loss `json:"lost,omitempty"`
	// Missing names what was not heard and why, one sentence each.
	// +kubebuilder:validation:MaxItems=12
	// +kubebuilder:validation:items:MaxLength=160
	// +listType=atomic
	Missing []string `json:"missing,omitempty"`
}
