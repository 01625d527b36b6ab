// SPDX-License-Identifier: Apache-2.0

// Package event holds what the kernel said, as plain values. Everything above
// the reader works on these and can therefore run from a recording.
package event

// Kind of an event.
type Kind string

// The kinds, as bpf/gossip.h has them.
const (
	CgroupMkdir Kind = "CgroupMkdir" // a cgroup was made: Cgroup, Path
	CgroupRmdir Kind = "CgroupRmdir" // a cgroup was removed: Cgroup
	CgroupJoin  Kind = "CgroupJoin"  // a member's process came into Cgroup
	SessionOpen Kind = "SessionOpen" // a shim, runtime, monitor or CNI plugin was executed: Open
	Exec        Kind = "Exec"        // a member executed File
	Exit        Kind = "Exit"        // a member's process ended: Value is the wait status, CPU the session's
	Namespaces  Kind = "Namespaces"  // a member made namespaces: Value has the clone flags
	NetnsBind   Kind = "NetnsBind"   // somebody mounted a network namespace on File
	PivotRoot   Kind = "PivotRoot"   // a member changed its root
	Listen      Kind = "Listen"      // a member's TCP socket listens: Value is the port
	Accept      Kind = "Accept"      // a session's first accept
	ExecFailed  Kind = "ExecFailed"  // a member could not execute File: Value is the errno
	Mount       Kind = "Mount"       // a daemon or a shim has mounted something on Path
	Setns       Kind = "Setns"       // a member joined a namespace: Value has its clone flag, 0 if it did not say
	Seccomp     Kind = "Seccomp"     // a runtime put a seccomp filter in force
	Linked      Kind = "Linked"      // an entrypoint's main has begun: Value is the shared objects opened before
	// LookupFailed: a runtime looked in vain for File, within the container's root: Value is the errno.
	LookupFailed Kind = "LookupFailed"
	OutOfMemory  Kind = "OutOfMemory" // the kernel kills a member for want of memory: Value is its thread id
	OffCPU       Kind = "OffCPU"      // a member's thread leaves its CPU: Stretch
	CgroupWrite  Kind = "CgroupWrite" // a runtime wrote the control file File
	NetDevice    Kind = "NetDevice"   // a CNI plugin asked for network devices: Value is how many
	Netfilter    Kind = "Netfilter"   // a CNI plugin handed netfilter rules to the kernel: Value is how many
	// UpTo is the reader's own: all that happened before Time has been told. It comes as
	// often as the reader finds nothing more, and ten times a second while it always does.
	UpTo Kind = "UpTo"
)

// Role of a session's first process.
type Role string

// The roles.
const (
	RoleShim    Role = "Shim"
	RoleRuntime Role = "Runtime"
	RoleMonitor Role = "Monitor"
	RoleCNI     Role = "CNI"
)

// Event is one thing that the kernel said.
type Event struct {
	Kind Kind `json:"kind"`
	// Time is CLOCK_MONOTONIC, in nanoseconds.
	Time uint64 `json:"time"`
	// Session is 0 for events that belong to none.
	Session uint64 `json:"session,omitempty"`
	// Workload is true past the exec of a container's entrypoint.
	Workload bool `json:"workload,omitempty"`
	// Cgroup of the task (or the cgroup concerned), in the cpu controller's hierarchy.
	Cgroup uint64 `json:"cgroup,omitempty"`
	PID    uint32 `json:"pid,omitempty"`
	TID    uint32 `json:"tid,omitempty"`
	// MountNS is the inode number of the task's mount namespace.
	MountNS uint32 `json:"mountNS,omitempty"`
	// Path of a cgroup, from its hierarchy's root.
	Path string `json:"path,omitempty"`
	// Pointer identifies the cgroup to the reader of its counters.
	Pointer uint64 `json:"pointer,omitempty"`
	File    string `json:"file,omitempty"`
	Value   int64  `json:"value,omitempty"`
	// CPU of the session's exited threads, in nanoseconds: of each what the scheduler had
	// charged, which lacks its time since the last tick or switch.
	CPU  uint64 `json:"cpu,omitempty"`
	Open *Open  `json:"open,omitempty"`
	// Stretch of an OffCPU event.
	Stretch *Stretch `json:"stretch,omitempty"`
}

// Stretch is one time of a thread on its CPU, from On to the event's time, and
// why it ended there.
type Stretch struct {
	// Woken is when it was ready to run the last time, 0 if nobody was heard to
	// wake it. On is when it came to its CPU, 0 if it has been there since it
	// became a member. Both in the clock of events.
	Woken uint64 `json:"woken,omitempty"`
	On    uint64 `json:"on,omitempty"`
	// Syscall that it is in, -1 for none.
	Syscall int32 `json:"nr"`
	// Runnable: it could go on. IOWait: it waits for block I/O. Uninterruptible:
	// it sleeps so, and not for I/O. Last: it ends.
	Runnable        bool `json:"runnable,omitempty"`
	IOWait          bool `json:"iowait,omitempty"`
	Uninterruptible bool `json:"uninterruptible,omitempty"`
	Last            bool `json:"last,omitempty"`
}

// Open is how a session began.
type Open struct {
	Role   Role   `json:"role"`
	Parent uint64 `json:"parent,omitempty"`
	// Args is the argv of a shim, runtime or monitor; it is used to find the
	// container's id and never stored in a resource.
	Args []string `json:"args,omitempty"`
	// CNI is the environment of a CNI plugin.
	CNI *CNI `json:"cni,omitempty"`
}

// CNI is what the CNI specification puts into a plugin's environment.
type CNI struct {
	Command     string `json:"command"`
	ContainerID string `json:"containerID"`
	Netns       string `json:"netns,omitempty"`
	Args        string `json:"args,omitempty"`
}

// Counts are a session's counters for one actor, as the kernel holds them.
type Counts struct {
	// Syscalls by number; numbers that were never used are absent.
	Syscalls   map[int]uint64 `json:"syscalls,omitempty"`
	Processes  uint64         `json:"processes,omitempty"`
	Threads    uint64         `json:"threads,omitempty"`
	Execs      uint64         `json:"execs,omitempty"`
	CPU        uint64         `json:"cpu,omitempty"` // ns, a lower bound: see Event.CPU
	Mounts     uint64         `json:"mounts,omitempty"`
	FirstMount uint64         `json:"firstMount,omitempty"`
	LastMount  uint64         `json:"lastMount,omitempty"`
	// CgroupWrites are writes to control files of cgroups by a runtime.
	CgroupWrites uint64 `json:"cgroupWrites,omitempty"`
	// NetDevices and NetfilterRules are what a CNI plugin asked the kernel for.
	NetDevices     uint64 `json:"netDevices,omitempty"`
	NetfilterRules uint64 `json:"netfilterRules,omitempty"`
	// Stretches are the OffCPU events that were told; the kernel's side stops at a bound.
	Stretches uint64 `json:"stretches,omitempty"`
	// Untold are deeds beyond the first 32 of their kind (KG_DEEDS in bpf/gossip.h), which
	// have no event: executions that failed, namespaces made and joined, changes of the
	// root, seccomp filters, vain look-ups, joins of cgroups and mounts of a shim.
	Untold uint64 `json:"untold,omitempty"`
}

// OffCPU events that are told of one session, of its own threads, of its
// workload's and of a shim's (bpf/gossip.h). At that number more may have followed.
const (
	StretchesMaxOwn      = 16384
	StretchesMaxWorkload = 4096
	StretchesMaxShim     = 1024
)

// ExecsMax is how many execs of one session are told one by one, of its own
// processes and of its workload's (bpf/gossip.h); all are counted.
const ExecsMax = 64

// SessionCounts are the counters of a session: of its own role and of the
// workload that it became.
type SessionCounts struct {
	Own      Counts `json:"own"`
	Workload Counts `json:"workload"`
}

// Group is a cgroup's CPU bandwidth, read at Time.
type Group struct {
	Cgroup uint64 `json:"cgroup"`
	// Time is CLOCK_MONOTONIC, in nanoseconds.
	Time uint64 `json:"time"`
	// Quota and Period in nanoseconds; Quota is 0 without a limit.
	Quota  uint64 `json:"quota,omitempty"`
	Period uint64 `json:"period,omitempty"`
	// Periods, Throttled and ThrottledTime (ns) as in cpu.stat.
	Periods       uint32 `json:"periods,omitempty"`
	Throttled     uint32 `json:"throttled,omitempty"`
	ThrottledTime uint64 `json:"throttledTime,omitempty"`
	// Usage is the group's CPU time in nanoseconds, by the fair scheduler's account.
	Usage uint64 `json:"usage"`
	// Burst is the unused quota (ns) that may be saved up (cfs_bandwidth.burst,
	// 5.14+). Expires is when the period timer runs next (CLOCK_MONOTONIC ns; in the
	// past while the timer rests). Shares is the weight (task_group.shares, 1024 × weight/100
	// on v2; the kernel scales it by 1024 on 64 bit, here it is scaled back).
	Burst   uint64 `json:"burst,omitempty"`
	Expires uint64 `json:"expires,omitempty"`
	Shares  uint64 `json:"shares,omitempty"`
	// Jiffies are the scheduler's ticks since the start (bpf_jiffies64, 5.6+): two
	// readings tell how long a tick is, which the kernel has at no other place that
	// every node shows.
	Jiffies uint64 `json:"jiffies,omitempty"`
	// Pressure is the time (ns) in which at least one thread waited for a CPU
	// (cpu.pressure, "some"); 0 where it was not read.
	Pressure uint64 `json:"pressure,omitempty"`
}

// Loss counts what did not reach user space since the programs were loaded.
type Loss struct {
	Events   uint64 `json:"events"`
	Sessions uint64 `json:"sessions"`
	Members  uint64 `json:"members"`
	// Skipped counts runs of programs that the kernel left out: since 7.x a program
	// may be preempted, and is then not run again on the same CPU meanwhile.
	Skipped uint64 `json:"skipped,omitempty"`
	// Overflows counts the times that the queue of what is watched (inotify) was full:
	// of how many cgroups nothing was heard is not known.
	Overflows uint64 `json:"overflows,omitempty"`
}

// Total of all losses, a full queue as one.
func (l Loss) Total() uint64 { return l.Counted() + l.Overflows }

// Counted are those whose number is known.
func (l Loss) Counted() uint64 { return l.Events + l.Sessions + l.Members + l.Skipped }
