/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How long a waiting thread was held by a quota, of its own group or of one above.
 *
 * The kernel keeps a clock of being throttled for each group and CPU (cfs_rq): it
 * runs while the group or one above it is throttled there. A thread waits in one
 * such queue, so the clock's advance between the beginning of its wait and its
 * return to the CPU is the time for which it was held; the rest of the wait it
 * was queued. This tells a wait that began queued and became held, and one that was
 * released and then queued.
 *
 * Bounds of the error:
 * - 6.6 and later: the clock is that of cpu.stat.local, exact. Since 6.18 threads
 *   are held one by one, when they return to user space, and never while they are
 *   queued: only waits that began held are looked at, and a second time of being
 *   throttled between release and return to the CPU is counted as held.
 * - 5.19 to 6.5: the clock is PELT's, which runs slower on a CPU below its highest
 *   frequency and catches up when that idles; the wait itself is the bound.
 * - up to 5.18: the clock leaves out what interrupts and a hypervisor took, where
 *   the kernel accounts for that.
 * - a thread that was moved to another CPU while it waited is judged by the queue
 *   that its wait began in.
 */
#ifndef KG_THROTTLE_H
#define KG_THROTTLE_H

#include "burst.h"

/* Since 6.18, kernel/sched/fair.c throttle_cfs_rq_work(). */
static __always_inline bool kg_held_one_by_one(void)
{
	return bpf_core_field_exists(((struct task_struct *)0)->throttled);
}

static __always_inline u64 kg_clock_self(struct cfs_rq *queue)
{
	u64 sum = BPF_CORE_READ(queue, throttled_clock_self_time);
	u64 since = BPF_CORE_READ(queue, throttled_clock_self);
	u64 now = BPF_CORE_READ(queue, rq, clock);

	return since && now > since ? sum + now - since : sum;
}

static __always_inline u64 kg_clock_pelt(struct cfs_rq *queue)
{
	u64 sum = BPF_CORE_READ(queue, throttled_clock_pelt_time);
	u64 since = BPF_CORE_READ(queue, throttled_clock_pelt);
	u64 now = BPF_CORE_READ(queue, rq, clock_pelt) - BPF_CORE_READ(queue, rq, lost_idle_time);

	return BPF_CORE_READ(queue, throttle_count) > 0 && now > since ? sum + now - since : sum;
}

static __always_inline u64 kg_clock_task(struct cfs_rq *queue)
{
	struct cfs_rq___task *old = (struct cfs_rq___task *)queue;
	u64 sum = BPF_CORE_READ(old, throttled_clock_task_time);
	u64 since = BPF_CORE_READ(old, throttled_clock_task);
	u64 now = BPF_CORE_READ(queue, rq, clock_task);

	return BPF_CORE_READ(queue, throttle_count) > 0 && now > since ? sum + now - since : sum;
}

/* For how long the queue has been throttled up to now. Its CPU's clock must have been updated. */
static __always_inline u64 kg_throttle_clock(struct cfs_rq *queue)
{
	if (bpf_core_field_exists(queue->throttled_clock_self_time))
		return kg_clock_self(queue);
	if (bpf_core_field_exists(queue->throttled_clock_pelt_time))
		return kg_clock_pelt(queue);
	return kg_clock_task(queue);
}

/* The thread begins to wait in its queue, which is locked and has its clock updated. */
static __always_inline void kg_wait_begins(struct kg_thread *t, struct task_struct *task, u64 now)
{
	struct cfs_rq *queue;

	t->wait_from = now;
	t->wait_queue = 0;
	t->held = 0;
	if (kg_held_one_by_one()) {
		t->held = task->throttled;
		if (!t->held)
			return;
	}
	queue = task->se.cfs_rq;
	if (!kg_held_one_by_one())
		t->held = BPF_CORE_READ(queue, throttle_count) > 0;
	t->wait_queue = (u64)queue;
	t->wait_clock = kg_throttle_clock(queue);
}

/* The thread is back on a CPU: for how long was it held of its wait? */
static __always_inline u64 kg_held_for(const struct kg_thread *t, u64 wait)
{
	u64 clock, held;

	if (!t->wait_queue)
		return 0;
	clock = kg_throttle_clock((struct cfs_rq *)t->wait_queue);
	held = clock > t->wait_clock ? clock - t->wait_clock : 0;
	return held < wait ? held : wait;
}

#endif
