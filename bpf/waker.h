/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Who wakes a thread: an interrupt, or the thread that happens to be current?
 *
 * - In a hard interrupt: the interrupt, whoever is current. So is every timer of
 *   the kernel's high-resolution kind (nanosleep, timerfd, timeouts of epoll and
 *   futex).
 * - In a soft interrupt: the interrupt, unless the current thread itself has just
 *   handed a packet to this machine (loopback, veth), and has not left the CPU
 *   since: the soft interrupt then is its own doing, and the wake is the thread's.
 *   A client on the same machine is so Outside, and a connection of a container
 *   with itself Own. A device's interrupt that comes within KG_SENT_NS after such a
 *   packet is taken for the thread's; one that ksoftirqd has to work off is an
 *   interrupt.
 * - A kernel thread, or an idle CPU: the kernel on somebody's behalf, Interrupt.
 * - Otherwise the current thread: Own or Outside, by its cgroup.
 */
#ifndef KG_WAKER_H
#define KG_WAKER_H

#include "burst.h"
#include "syscall.h"

#define KG_SENT_NS 2000000ULL
#define KG_PF_KTHREAD 0x00200000 /* include/linux/sched.h */
/* include/linux/preempt.h; hard interrupts and those that cannot be masked have the bits above. */
#define KG_SERVES_SOFTIRQ 0x00000100
#define KG_IN_HARDIRQ 0x00ff0000

/*
 * x86: how far the count of nested interrupts lies behind the run queue in the memory
 * of each CPU, from BTF by user space; a current task leads to its CPU's run queue.
 * 0: not known. The address of neither is needed, as only a privileged reader of
 * /proc/kallsyms would know it, if anybody.
 */
volatile s64 kg_preempt_offset;

static __always_inline u32 kg_preempt_count(struct task_struct *current)
{
#if defined(__TARGET_ARCH_x86)
	u64 run_queue = (u64)BPF_CORE_READ(current, se.cfs_rq, rq);
	u32 count = 0;

	if (kg_preempt_offset)
		bpf_probe_read_kernel(&count, sizeof(count),
				      (void *)(run_queue + kg_preempt_offset));
	return count;
#else
	return BPF_CORE_READ(current, thread_info.preempt_count);
#endif
}

/* Where interrupts cannot be told: the thread sleeps for a time, which only a timer ends. */
static __always_inline bool kg_sleeps_for_a_time(const struct kg_thread *t)
{
#if defined(__TARGET_ARCH_x86)
	return !kg_preempt_offset &&
	       (t->burst.slept == KG_NR_NANOSLEEP || t->burst.slept == KG_NR_CLOCK_NANOSLEEP);
#else
	return false;
#endif
}

static __always_inline bool kg_interrupted(const struct kg_cpu *cpu, struct task_struct *current,
					   u64 now)
{
	u32 count = kg_preempt_count(current);

	if (!BPF_CORE_READ(current, pid) || BPF_CORE_READ(current, flags) & KG_PF_KTHREAD)
		return true;
	if (count & KG_IN_HARDIRQ)
		return true;
	if (!(count & KG_SERVES_SOFTIRQ))
		return false;
	return cpu->sent_by != (u32)BPF_CORE_READ(current, pid) ||
	       now - cpu->sent_at > KG_SENT_NS ||
	       cpu->turns[cpu->turn % KG_TURNS].to > cpu->sent_at;
}

/* Notes who wakes the thread; born: it is new, and current has made it. */
static __always_inline void kg_note_waker(struct kg_thread *t, const struct kg_cpu *cpu, u32 slot,
					  u64 now, bool born)
{
	struct task_struct *current = (struct task_struct *)bpf_get_current_task();
	struct task_group *group;

	t->wake_at = now;
	t->wake_tid = 0;
	t->wake_cgroup = 0;
	t->wake_class = KG_WAKER_INTERRUPT;
	if (!born && (kg_sleeps_for_a_time(t) || kg_interrupted(cpu, current, now)))
		return;
	t->wake_tid = BPF_CORE_READ(current, pid);
	group = BPF_CORE_READ(current, sched_task_group);
	if (kg_slot_at(group) == slot) {
		t->wake_class = born ? KG_WAKER_BORN : KG_WAKER_OWN;
		return;
	}
	t->wake_class = KG_WAKER_OUTSIDE;
	t->wake_cgroup = kg_group_id(group);
}

#endif
