// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The bursts of at most two cgroups: an object of its own, attached only while
 * somebody listens. A thread of another cgroup costs a walk up its task groups.
 *
 * A burst begins with the wake that brings its thread to a CPU and ends when the
 * thread blocks. Only sched_waking is heard of a wake: the last one before a
 * thread's return to a CPU is the one that counted, whatever the order in which
 * it and the thread's going to sleep became known.
 *
 * CPU time is that of se.sum_exec_runtime: at sched_switch it is up to date for the
 * thread that leaves, as the scheduler charges it before (put_prev_task).
 */
#include "burst.h"
#include "groups.h"
#include "slept.h"
#include "thread.h"
#include "throttle.h"
#include "turns.h"
#include "waker.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Bursts travel as bytes; this keeps the layout in the object's type information. */
const struct kg_burst *kg_layout_burst __attribute__((unused));

#define KG_TASK_DEAD 0x80 /* include/linux/sched.h */

static __always_inline void kg_leaves(struct task_struct *task, u32 slot, bool preempted, u64 now)
{
	struct kg_thread *t = kg_thread_of(task->pid, slot);
	long state = kg_state_of(task);
	u32 tid;

	if (!t)
		t = kg_thread_make(task, slot, KG_RUNNING, now, true);
	if (!t)
		return;
	if (t->state == KG_BLOCKED) /* its return to the CPU was not heard */
		kg_activate(t, now);
	kg_charge(t, task->se.sum_exec_runtime);
	t->burst.switches++;
	if (preempted || !state) {
		t->state = KG_WAITING;
		kg_wait_begins(t, task, now);
		kg_cut(t, slot, now, false);
		return;
	}
	kg_find_language(t);
	t->burst.cpus = task->nr_cpus_allowed;
	kg_tell(t, slot, now, 0);
	t->burst.ended = now;
	t->state = KG_BLOCKED;
	t->burst.slept = kg_syscall_of(task);
	if (state & KG_TASK_DEAD) {
		tid = t->burst.tid;
		bpf_map_delete_elem(&threads, &tid);
	}
}

static __always_inline void kg_arrives(struct task_struct *task, u32 slot, const struct kg_cpu *cpu,
				       u64 now)
{
	struct kg_thread *t = kg_thread_of(task->pid, slot);
	u64 wait, held;

	if (!t) {
		kg_thread_make(task, slot, KG_RUNNING, now, false);
		return;
	}
	if (t->state == KG_BLOCKED) {
		kg_activate(t, now);
		if (t->wait_from <
		    t->burst.woken) /* nobody noted the queue that its wake put it in */
			t->wait_queue = 0;
		t->wait_from = t->burst.woken;
	} else if (t->state == KG_RUNNING) {
		return; /* its leaving was not heard */
	}
	wait = now > t->wait_from ? now - t->wait_from : 0;
	held = kg_held_for(t, wait);
	t->burst.parked += held;
	t->burst.queued += wait - held;
	if (wait > held)
		kg_charge_turns(t, cpu, now - (wait - held));
	t->state = KG_RUNNING;
	kg_cut(t, slot, now, false);
}

/*
 * kernel/sched/core.c __schedule(). Since 5.18 prev_state is a further argument;
 * the task's own field says the same here and on older kernels: a waker may have
 * set it to TASK_WAKING meanwhile, and to nothing else before the switch is over.
 */
SEC("tp_btf/sched_switch")
int BPF_PROG(burst_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct task_group *leaving = prev->sched_task_group;
	struct kg_cpu *cpu = kg_this_cpu();
	u64 now = bpf_ktime_get_ns();
	u32 slot;

	if (!cpu)
		return 0;
	kg_turn_ends(cpu, prev->pid ? (u64)leaving : 0, now);
	slot = kg_slot(leaving);
	if (slot)
		kg_leaves(prev, slot, preempt, now);
	slot = kg_slot(next->sched_task_group);
	if (slot)
		kg_arrives(next, slot, cpu, now);
	return 0;
}

/* kernel/sched/core.c try_to_wake_up(), in the context of the waker. */
SEC("tp_btf/sched_waking")
int BPF_PROG(burst_waking, struct task_struct *task)
{
	u32 slot = kg_slot(task->sched_task_group);
	struct kg_thread *t;
	struct kg_cpu *cpu;
	u64 now;

	if (!slot)
		return 0;
	now = bpf_ktime_get_ns();
	t = kg_thread_of(task->pid, slot);
	if (!t)
		t = kg_thread_make(task, slot, KG_BLOCKED, now, false);
	cpu = kg_this_cpu();
	if (!t || !cpu)
		return 0;
	kg_note_waker(t, cpu, slot, now, false);
	return 0;
}

/*
 * kernel/sched/core.c ttwu_do_wakeup(), ttwu_do_activate() in later kernels: the
 * woken thread is in its queue now. Attached only before 6.18, where that queue may
 * be held by a quota.
 */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(burst_wakeup, struct task_struct *task)
{
	u32 slot = kg_slot(task->sched_task_group);
	struct kg_thread *t;

	if (!slot)
		return 0;
	t = kg_thread_of(task->pid, slot);
	if (t && t->state == KG_BLOCKED)
		kg_wait_begins(t, task, bpf_ktime_get_ns());
	return 0;
}

/* kernel/sched/core.c wake_up_new_task(), in the context of the maker. */
SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(burst_wakeup_new, struct task_struct *task)
{
	u32 slot = kg_slot(task->sched_task_group), tid;
	struct kg_thread *t;
	struct kg_cpu *cpu;
	u64 now;

	if (!slot)
		return 0;
	tid = BPF_CORE_READ(task, pid);
	bpf_map_delete_elem(&threads, &tid); /* of an earlier thread with that id */
	now = bpf_ktime_get_ns();
	t = kg_thread_make(task, slot, KG_BLOCKED, now, false);
	cpu = kg_this_cpu();
	if (!t || !cpu)
		return 0;
	kg_note_waker(t, cpu, slot, now, true);
	if (!kg_held_one_by_one())
		kg_wait_begins(t, task, now);
	return 0;
}

/* net/core/dev.c netif_rx_internal(): a packet for this machine itself. */
SEC("tp_btf/netif_rx")
int BPF_PROG(burst_sent, void *skb)
{
	struct kg_cpu *cpu = kg_this_cpu();
	struct kg_current c;

	kg_current(&c);
	if (!cpu || c.count & (KG_SERVES_SOFTIRQ | KG_IN_HARDIRQ))
		return 0;
	cpu->sent_by = c.tid;
	cpu->sent_at = bpf_ktime_get_ns();
	return 0;
}

/*
 * Never attached: user space runs it on each CPU in turn (BPF_PROG_TEST_RUN, raw
 * tracepoints with a CPU since 5.10). There it interrupts the current thread, which may
 * not have been switched since listening began. Argument: 1 to end the piece anyhow.
 * What the scheduler has not charged since the last tick comes with the next piece.
 */
SEC("raw_tracepoint/burst_pulse")
int burst_pulse(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u32 slot = kg_slot_at(BPF_CORE_READ(task, sched_task_group));
	struct kg_thread *t;
	u64 now;

	if (!slot)
		return 0;
	now = bpf_ktime_get_ns();
	t = kg_thread_of(BPF_CORE_READ(task, pid), slot);
	if (!t)
		t = kg_thread_make(task, slot, KG_RUNNING, now, false);
	if (!t || t->state != KG_RUNNING)
		return 0;
	kg_charge(t, BPF_CORE_READ(task, se.sum_exec_runtime));
	kg_find_language(t);
	kg_cut(t, slot, now, ctx->args[0]);
	return 0;
}
