// SPDX-License-Identifier: Apache-2.0

// Package hooks is the ladder: for each thing that the observer wants to hear,
// the ways in which a kernel may let it be heard, best first, and what is lost on
// each. It is pure: who probes a kernel says what that kernel offers, Choose says
// what comes of it.
package hooks

// Hook is one thing to be heard. Those that the kernel has a tracepoint for have
// the tracepoint's name.
type Hook string

// The hooks.
const (
	// Events is how events travel from the programs to user space.
	Events Hook = "events"
	// Bandwidth is a cgroup's CPU bandwidth and usage, read once a second.
	Bandwidth    Hook = "bandwidth"
	CgroupMkdir  Hook = "cgroup_mkdir"
	CgroupRmdir  Hook = "cgroup_rmdir"
	CgroupAttach Hook = "cgroup_attach_task"
	Fork         Hook = "sched_process_fork"
	Exec         Hook = "sched_process_exec"
	Exit         Hook = "sched_process_exit"
	MarkVictim   Hook = "mark_victim"
	// SysExit is every system call: how many, and what they did. Their entry is not heard:
	// it would cost each of them as much again.
	SysExit     Hook = "sys_exit"
	SocketState Hook = "inet_sock_set_state"
	Switch      Hook = "sched_switch"
	Wakeup      Hook = "sched_wakeup"
	// Bursts are the activations of a suspect's threads, heard while the observer
	// leans in.
	Bursts Hook = "bursts"
)

// Way is how a hook can be heard.
type Way string

// The ways. The first three are BPF programs.
const (
	Typed      Way = "tp_btf"     // typed raw tracepoint: Linux 5.5, the running kernel's own BTF
	Raw        Way = "raw_tp"     // raw tracepoint: Linux 4.17, BTF from anywhere
	Tracepoint Way = "tracepoint" // perf tracepoint: Linux 4.7, tracefs, BTF from anywhere
	RingBuffer Way = "ringbuf"    // BPF_MAP_TYPE_RINGBUF: Linux 5.8
	PerfBuffer Way = "perfbuf"    // BPF_MAP_TYPE_PERF_EVENT_ARRAY: Linux 4.4
	TestRun    Way = "test_run"   // a program that user space runs: Linux 5.10 (BPF_PROG_TEST_RUN of raw tracepoints)
	Filter     Way = "filter"     // the same program, run as a filter of packets: Linux 5.8
	Inferred   Way = "inferred"   // from what another hook hears of the same task
	Inotify    Way = "inotify"    // a watch on each directory of the cgroup file system
	Poll       Way = "poll"       // the cgroup file system, read again and again
	Files      Way = "files"      // files of the cgroup file system (cpu.stat, cpu.max, cpu.pressure)
	// Off is no way at all: the hook is not heard.
	Off Way = "off"
)

// Rung is one way to hear a hook and what is lost on it.
type Rung struct {
	Way Way
	// Loses says what a user does not get on this rung, in one sentence of at most
	// 160 bytes. Empty: nothing.
	Loses string
}

// Ladder is a hook with its rungs, best first. The last one is always Off.
type Ladder struct {
	Hook Hook
	// Hears says what the hook is for.
	Hears string
	Rungs []Rung
}
