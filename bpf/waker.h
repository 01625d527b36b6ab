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

/* The current thread, as far as a wake needs it. */
struct kg_current {
	u64 group; /* struct task_group */
	u32 count; /* of nested interrupts */
	u32 tid;
	u32 flags;
	u32 slot;
};

static __always_inline u32 kg_count_beside(u64 run_queue)
{
	u32 count = 0;

#if defined(__TARGET_ARCH_x86)
	if (kg_preempt_offset)
		bpf_probe_read_kernel(&count, sizeof(count),
				      (void *)(run_queue + kg_preempt_offset));
#endif
	return count;
}

/* Since 5.11 the verifier knows what the current task is, and plain loads do. */
static __always_inline void kg_look(struct kg_current *c)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_group *group = task->sched_task_group;

	c->group = (u64)group;
	c->slot = kg_slot(group);
	c->tid = task->pid;
	c->flags = task->flags;
#if defined(__TARGET_ARCH_x86)
	/* Read, not loaded: the verifier lets nobody count with a pointer that it follows. */
	c->count = kg_count_beside((u64)BPF_CORE_READ(task->se.cfs_rq, rq));
#else
	c->count = task->thread_info.preempt_count;
#endif
}

static __always_inline void kg_look_at(struct kg_current *c)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct task_group *group = BPF_CORE_READ(task, sched_task_group);

	c->group = (u64)group;
	c->slot = kg_slot_at(group);
	c->tid = BPF_CORE_READ(task, pid);
	c->flags = BPF_CORE_READ(task, flags);
#if defined(__TARGET_ARCH_x86)
	c->count = kg_count_beside((u64)BPF_CORE_READ(task, se.cfs_rq, rq));
#else
	c->count = BPF_CORE_READ(task, thread_info.preempt_count);
#endif
}

enum bpf_func_id___current {
	BPF_FUNC_get_current_task_btf___current = 158,
};

static __always_inline void kg_current(struct kg_current *c)
{
	/* Decided when the programs are loaded; the other branch is not loaded. */
	if (bpf_core_enum_value_exists(enum bpf_func_id___current,
				       BPF_FUNC_get_current_task_btf___current))
		kg_look(c);
	else
		kg_look_at(c);
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

static __always_inline bool kg_interrupted(const struct kg_cpu *cpu, const struct kg_current *c,
					   u64 now)
{
	if (!c->tid || c->flags & KG_PF_KTHREAD)
		return true;
	if (c->count & KG_IN_HARDIRQ)
		return true;
	if (!(c->count & KG_SERVES_SOFTIRQ))
		return false;
	return cpu->sent_by != c->tid || now - cpu->sent_at > KG_SENT_NS ||
	       cpu->turns[cpu->turn % KG_TURNS].to > cpu->sent_at;
}

/* Notes who wakes the thread; born: it is new, and current has made it. */
static __always_inline void kg_note_waker(struct kg_thread *t, const struct kg_cpu *cpu, u32 slot,
					  u64 now, bool born)
{
	struct kg_current c;

	kg_current(&c);
	if (c.tid == t->burst.tid) /* it has changed its mind about sleeping */
		return;
	t->wake_at = now;
	t->wake_tid = 0;
	t->wake_cgroup = 0;
	t->wake_class = KG_WAKER_INTERRUPT;
	if (!born && (kg_sleeps_for_a_time(t) || kg_interrupted(cpu, &c, now)))
		return;
	t->wake_tid = c.tid;
	if (c.slot == slot) {
		t->wake_class = born ? KG_WAKER_BORN : KG_WAKER_OWN;
		return;
	}
	t->wake_class = KG_WAKER_OUTSIDE;
	t->wake_cgroup = kg_group_id((struct task_group *)c.group);
}

#endif
