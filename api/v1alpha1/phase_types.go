// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Phase is one stretch of a birth.
type Phase struct {
	// Name in one word, such as Network or ContainerCreate.
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z]{1,39}$`
	Name string `json:"name"`
	// Container that the phase belongs to, where it belongs to one.
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container,omitempty"`
	// Detail tells phases of one name apart: the file name of a CNI plugin.
	// +kubebuilder:validation:MaxLength=63
	Detail string `json:"detail,omitempty"`
	// StartMicroseconds is the time since spec.origin.
	// +kubebuilder:validation:Minimum=0
	StartMicroseconds int64 `json:"startMicroseconds"`
	// DurationMicroseconds is wall time; phases may overlap.
	// +kubebuilder:validation:Minimum=0
	DurationMicroseconds int64 `json:"durationMicroseconds"`
	// WaitMicroseconds is the part of the duration in which no thread of the
	// phase was on a CPU; absent where it was not measured.
	// +kubebuilder:validation:Minimum=0
	WaitMicroseconds *int64 `json:"waitMicroseconds,omitempty"`
	// Waits is what that time was spent on; its fields sum up to waitMicroseconds.
	Waits *PhaseWaits `json:"waits,omitempty"`
	// CriticalMicroseconds is the part of the duration that lies on the critical
	// path: the birth would have been shorter by as much without it. Where phases
	// nest, the innermost has it; the sum over all phases is at most the birth's duration.
	// +kubebuilder:validation:Minimum=0
	CriticalMicroseconds int64 `json:"criticalMicroseconds,omitempty"`
}

// PhaseWaits divides the time in which no thread of a phase was on a CPU. A
// stretch in which one was ready to run counts as runnable. Any other stretch
// ends when a thread is woken, and counts by what that thread had waited for:
// the system call that it was in, and the state that the scheduler saw it in.
type PhaseWaits struct {
	// RunnableMicroseconds: ready to run, and no CPU (busy, or the quota was used up).
	// +kubebuilder:validation:Minimum=0
	RunnableMicroseconds int64 `json:"runnableMicroseconds,omitempty"`
	// DiskMicroseconds: for block I/O (task_struct.in_iowait).
	// +kubebuilder:validation:Minimum=0
	DiskMicroseconds int64 `json:"diskMicroseconds,omitempty"`
	// LockMicroseconds: for a lock. A futex, a file lock, or a lock or a grace
	// period within the kernel (uninterruptible sleep that is no I/O).
	// +kubebuilder:validation:Minimum=0
	LockMicroseconds int64 `json:"lockMicroseconds,omitempty"`
	// NetworkMicroseconds: in connect, accept or the send and receive calls of a socket.
	// +kubebuilder:validation:Minimum=0
	NetworkMicroseconds int64 `json:"networkMicroseconds,omitempty"`
	// MessageMicroseconds: in read, write, poll, epoll or select: for another
	// process to say something through a pipe, a socket or a file.
	// +kubebuilder:validation:Minimum=0
	MessageMicroseconds int64 `json:"messageMicroseconds,omitempty"`
	// ProcessMicroseconds: for a child process to end.
	// +kubebuilder:validation:Minimum=0
	ProcessMicroseconds int64 `json:"processMicroseconds,omitempty"`
	// TimerMicroseconds: asleep for a set time.
	// +kubebuilder:validation:Minimum=0
	TimerMicroseconds int64 `json:"timerMicroseconds,omitempty"`
	// OtherMicroseconds: for something else, or for what was not heard.
	// +kubebuilder:validation:Minimum=0
	OtherMicroseconds int64 `json:"otherMicroseconds,omitempty"`
}
