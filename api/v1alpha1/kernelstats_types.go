// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// ActorStats are the counts of one actor, for one container where it worked
// for one.
type ActorStats struct {
	// Actor counted.
	Actor Actor `json:"actor"`
	// Container that it worked for.
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container,omitempty"`
	// Syscalls entered by its threads within the certificate's window; absent where
	// they were not heard.
	// +kubebuilder:validation:Minimum=0
	Syscalls int64 `json:"syscalls,omitempty"`
	// Processes that belonged to it (threads are not counted).
	// +kubebuilder:validation:Minimum=0
	Processes int64 `json:"processes"`
	// Execs that succeeded.
	// +kubebuilder:validation:Minimum=0
	Execs int64 `json:"execs"`
	// CPUMicroseconds that its threads used, of those that had ended by the end of the
	// window. A lower bound: of each thread what the scheduler had charged, which lacks
	// its time since the last tick or switch.
	// +kubebuilder:validation:Minimum=0
	CPUMicroseconds int64 `json:"cpuMicroseconds,omitempty"`
}

// SyscallCount is how often one system call was entered.
type SyscallCount struct {
	// Name of the system call as the kernel's table has it, such as openat.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	Name string `json:"name"`
	// Count over all actors.
	// +kubebuilder:validation:Minimum=0
	Count int64 `json:"count"`
}

// NamespacesCreated counts the namespaces made for the pod, by type.
type NamespacesCreated struct {
	// +kubebuilder:validation:Minimum=0
	Mount int64 `json:"mount,omitempty"`
	// +kubebuilder:validation:Minimum=0
	PID int64 `json:"pid,omitempty"`
	// +kubebuilder:validation:Minimum=0
	Network int64 `json:"network,omitempty"`
	// +kubebuilder:validation:Minimum=0
	UTS int64 `json:"uts,omitempty"`
	// +kubebuilder:validation:Minimum=0
	IPC int64 `json:"ipc,omitempty"`
	// +kubebuilder:validation:Minimum=0
	Cgroup int64 `json:"cgroup,omitempty"`
	// +kubebuilder:validation:Minimum=0
	User int64 `json:"user,omitempty"`
	// +kubebuilder:validation:Minimum=0
	Time int64 `json:"time,omitempty"`
}

// KernelStats are the kernel's counts over the certificate's window, which
// opens with the first event of the birth and closes when the observer has
// seen the pod's outcome.
type KernelStats struct {
	// TotalSyscalls is the sum over actors; absent where system calls were not heard:
	// no pod is born without any.
	// +kubebuilder:validation:Minimum=0
	TotalSyscalls int64 `json:"totalSyscalls,omitempty"`
	// Actors with their own counts.
	// +kubebuilder:validation:MaxItems=40
	// +listType=atomic
	Actors []ActorStats `json:"actors,omitempty"`
	// TopSyscalls, most frequent first, over all actors.
	// +kubebuilder:validation:MaxItems=12
	// +listType=atomic
	TopSyscalls []SyscallCount `json:"topSyscalls,omitempty"`
	// NamespacesCreated by type; absent while syscalls were not heard.
	NamespacesCreated *NamespacesCreated `json:"namespacesCreated,omitempty"`
	// CgroupsCreated for the pod, in the hierarchy of the cpu controller (a
	// cgroup v1 node makes the same ones in every other hierarchy as well).
	// +kubebuilder:validation:Minimum=0
	CgroupsCreated int64 `json:"cgroupsCreated"`
	// NamespacesJoined by type: how often a process of the birth entered a
	// namespace that existed (setns); absent while syscalls were not heard.
	NamespacesJoined *NamespacesCreated `json:"namespacesJoined,omitempty"`
	// CgroupWrites is how many writes to cgroup files the runtimes' processes
	// made: limits, and processes that were moved. (Those of the kubelet and of
	// systemd are not among them.)
	// +kubebuilder:validation:Minimum=0
	CgroupWrites *int64 `json:"cgroupWrites,omitempty"`
	// Mounts that succeeded (mount and move_mount).
	// +kubebuilder:validation:Minimum=0
	Mounts *int64 `json:"mounts,omitempty"`
	// NetDevicesCreated is how many network devices the CNI plugins asked the
	// kernel to make (RTM_NEWLINK with NLM_F_CREATE); a pair of veth devices is
	// one request.
	// +kubebuilder:validation:Minimum=0
	NetDevicesCreated *int64 `json:"netDevicesCreated,omitempty"`
	// NetfilterRules is how many rules the CNI plugins' processes handed to the
	// kernel (nf_tables: NFT_MSG_NEWRULE; legacy tables: entries that a
	// replacement of a table adds).
	// +kubebuilder:validation:Minimum=0
	NetfilterRules *int64 `json:"netfilterRules,omitempty"`
	// DurationMicroseconds from spec.origin to Ready or, where Ready was not
	// seen, to the last sign of progress or, of a birth that failed, to the latest
	// failed attempt.
	// +kubebuilder:validation:Minimum=0
	DurationMicroseconds int64 `json:"durationMicroseconds"`
	// WindowMicroseconds that the counts cover: from spec.origin to their reading.
	// +kubebuilder:validation:Minimum=0
	WindowMicroseconds int64 `json:"windowMicroseconds"`
}
