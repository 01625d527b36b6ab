// SPDX-License-Identifier: Apache-2.0

package hooks

// Ladders are all hooks with their rungs, in the order of plans and tables.
//
// Forks have no rung of perf tracepoints, whose record has not the child's task, nor
// has cgroup_attach_task, whose record has not the thread's process.
//
// A kernel that preempts programs has another order: see Offer.Ladders.
func Ladders() []Ladder {
	off := func(loses string) Rung { return Rung{Off, loses} }
	// Those of a tracepoint whose record says enough, and of one whose record does not.
	full := func(loses string) []Rung { return []Rung{{Way: Typed}, {Way: Raw}, {Tracepoint, leftOut}, off(loses)} }
	task := func(loses string) []Rung { return []Rung{{Way: Typed}, {Way: Raw}, off(loses)} }
	const (
		polled  = "cgroups are seen when their file system is read: one that lived shorter may be missing, and times are late by up to a second"
		noPods  = "new pods are not noticed on the node: no births"
		stale   = "cgroups that were removed are noticed late, when they are read"
		fewer   = "of what a network plugin sends at once only 4 parts of 64 netlink messages are looked at: devices and rules may be too few"
		watched = "cgroups that were made and removed at once may be missing, and their times are late by the way through the file system"
	)
	return []Ladder{
		{Events, "how events travel from the programs", []Rung{{Way: RingBuffer}, {PerfBuffer, fewer}, off("no BPF program can tell anything")}},
		{Bandwidth, "limits, throttling and CPU time of cgroups", []Rung{
			{Way: TestRun}, {Way: Filter}, {Files, "usage is that of cpu.stat, and the phase of the quota's period is not known"},
			off("throttling is not noticed"),
		}},
		{CgroupMkdir, "new pods and containers", append(cgroups(), Rung{Inotify, watched}, Rung{Poll, polled}, off(noPods))},
		{CgroupRmdir, "pods and containers that are gone", append(cgroups(), Rung{Way: Inotify}, Rung{Poll, polled}, off(stale))},
		{CgroupAttach, "which container a runtime's process joins", []Rung{
			{Way: Typed}, {Way: Raw}, {Way: Inferred}, off("processes that join a container's cgroup are not told: sessions are attributed by names and namespaces only"),
		}},
		{Exec, "runtimes, plugins and entrypoints that begin", full("births have no sessions: nothing of runtimes, network plugins, entrypoints and their system calls")},
		{Fork, "processes and threads that runtimes start", task("what a runtime starts is not followed: its children's executions, ends and system calls")},
		{Exit, "processes that end, and how", full("ends of processes, their exit codes and their CPU time are not known")},
		{MarkVictim, "the kernel kills for want of memory", []Rung{
			{Way: Raw}, {Tracepoint, leftOut}, off("that the kernel killed a process of a birth for want of memory is known from its signal only"),
		}},
		{SysExit, "system calls, and what they did", full("system calls are not counted, and what they did is not known: mounts, namespaces, seccomp filters, network devices, failed executions")},
		{SocketState, "ports that are listened on", full("when a container listens on a port is not known")},
		{Switch, "threads that leave a CPU and come back", full("phases are not divided into running and waiting, and a system call that does not end is not counted")},
		{Wakeup, "threads that become ready to run", full("a wait for a CPU is not told from what it followed")},
		{Bursts, "when a suspect's threads ran and waited", []Rung{
			{Way: Typed}, off("whispers tell how often a limit struck, not whom it hurt or which limit would do"),
		}},
	}
}

// leftOut is what a perf tracepoint loses: trace_call_bpf (kernel/trace/bpf_trace.c) runs
// no program while any other runs on that CPU.
const leftOut = "what happens while another BPF program runs on that CPU is left out, and counted since Linux 6.7 only"

// overtaken is what a raw tracepoint loses where its program may be preempted:
// __bpf_trace_run (kernel/trace/bpf_trace.c) does not run a program that is under way on
// that CPU, in whichever thread.
const overtaken = "while the same program is under way on that CPU, preempted, what happens there is left out; it is counted, and births then are not complete"

// Ladders are those of a kernel. Where it preempts programs on raw tracepoints, perf
// tracepoints come first for what is heard in the middle of a thread: they run their
// program with preemption off (include/trace/perf.h), and lose nothing of what their own
// record says. What they leave out, while a map is being changed for user space on that
// CPU, is counted there. What the scheduler and cgroups tell is told with interrupts off
// on each kernel.
func (o Offer) Ladders() []Ladder {
	all := Ladders()
	if !o.Preempts {
		return all
	}
	for i, l := range all {
		switch l.Hook {
		case SysExit, Exec, Exit:
			all[i].Rungs = []Rung{{Way: Tracepoint}, {Typed, overtaken}, {Raw, overtaken}, l.Rungs[len(l.Rungs)-1]}
		}
	}
	return all
}

// cgroups are the rungs of BPF for a cgroup's making and removal.
func cgroups() []Rung { return []Rung{{Way: Typed}, {Way: Raw}, {Tracepoint, leftOut}} }

// BPF is true for ways that are programs or maps of BPF.
func (w Way) BPF() bool {
	switch w {
	case Typed, Raw, Tracepoint, RingBuffer, PerfBuffer, TestRun, Filter:
		return true
	}
	return false
}

// Run is true for ways that are programs which user space runs.
func (w Way) Run() bool { return w == TestRun || w == Filter }

// Program is true for ways that are programs which the kernel runs by itself.
func (w Way) Program() bool { return w == Typed || w == Raw || w == Tracepoint }
