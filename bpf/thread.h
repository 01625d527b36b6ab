/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The record of a thread, and how its burst begins, is charged and is told. */
#ifndef KG_THREAD_H
#define KG_THREAD_H

#include "burst.h"
#include "language.h"

static __always_inline struct kg_cpu *kg_this_cpu(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&cpus, &zero);
}

static __always_inline long kg_state_of(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return ((struct task_struct___state *)task)->state;
}

/* What the next burst or piece begins with. */
static __always_inline void kg_begin(struct kg_thread *t, u64 woken)
{
	t->burst.woken = woken;
	t->burst.cpu = 0;
	t->burst.parked = 0;
	t->burst.queued = 0;
	t->burst.preemptor = 0;
	t->burst.preemptor_time = 0;
	t->burst.switches = 0;
	t->burst.waker = KG_WAKER_NONE;
	t->burst.waker_tid = 0;
	t->burst.waker_cgroup = 0;
	t->preemptor = 0;
}

/* Tells what has been heard of the thread since it was woken. */
static __noinline int kg_tell(struct kg_thread *t, u32 slot, u64 now, u32 goes_on)
{
	struct kg_burst *e = bpf_ringbuf_reserve(&bursts, sizeof(*e), 0);

	if (!e) {
		kg_lose(slot);
		return 0;
	}
	*e = t->burst;
	e->ended = now;
	e->goes_on = goes_on;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

/* A thread that does not block ends a piece and begins the next. */
static __always_inline void kg_cut(struct kg_thread *t, u32 slot, u64 now, bool flush)
{
	if (!flush && now - t->burst.woken < KG_PIECE_NS)
		return;
	kg_tell(t, slot, now, 1);
	kg_begin(t, now);
}

/* How long the thread has been on its CPU, but not since before listening began. */
static __always_inline u64 kg_turn_of(struct task_struct *task, u32 slot, u64 now)
{
	u64 ran = BPF_CORE_READ(task, se.sum_exec_runtime) -
		  BPF_CORE_READ(task, se.prev_sum_exec_runtime);
	u32 i = slot - 1;
	u64 since = i < KG_LISTENED ? kg_since[i] : now, most = now > since ? now - since : 0;

	return ran < most ? ran : most;
}

/*
 * Makes the record of a thread that is heard of for the first time. One that leaves
 * its CPU has begun its burst when it came to it, or when listening began.
 */
static __noinline struct kg_thread *kg_thread_make(struct task_struct *task, u32 slot, u32 state,
						   u64 now, bool leaves)
{
	u64 ran = leaves ? kg_turn_of(task, slot, now) : 0;
	u32 tid = BPF_CORE_READ(task, pid), i = slot - 1;
	struct kg_thread blank = {};

	/* The address may have become another group's when its own was removed. */
	if (i >= KG_LISTENED || kg_group_id((struct task_group *)kg_groups[i]) != kg_ids[i])
		return NULL;
	blank.burst.cgroup = kg_ids[i];
	blank.burst.tid = tid;
	blank.burst.tgid = BPF_CORE_READ(task, tgid);
	blank.burst.slept = -1;
	blank.burst.woken = now - ran;
	blank.burst.cpus = BPF_CORE_READ(task, nr_cpus_allowed);
	blank.runtime = BPF_CORE_READ(task, se.sum_exec_runtime) - ran;
	blank.state = state;
	if (bpf_map_update_elem(&threads, &tid, &blank, BPF_ANY)) {
		kg_lose(slot);
		return NULL;
	}
	return bpf_map_lookup_elem(&threads, &tid);
}

/* The record of a thread, if it is of this listening. */
static __always_inline struct kg_thread *kg_thread_of(u32 tid, u32 slot)
{
	struct kg_thread *t = bpf_map_lookup_elem(&threads, &tid);
	u32 i = slot - 1;

	return t && i < KG_LISTENED && t->burst.cgroup == kg_ids[i] ? t : NULL;
}

/* The wake that was noted begins a burst; without one it begins now. */
static __always_inline void kg_activate(struct kg_thread *t, u64 now)
{
	u64 blocked = t->burst.ended;

	kg_begin(t, now);
	if (!t->wake_at)
		return;
	t->burst.woken = t->wake_at > blocked ? t->wake_at : blocked;
	t->burst.waker = t->wake_class;
	t->burst.waker_tid = t->wake_tid;
	t->burst.waker_cgroup = t->wake_cgroup;
	t->wake_at = 0;
}

static __always_inline void kg_charge(struct kg_thread *t, u64 runtime)
{
	if (runtime > t->runtime)
		t->burst.cpu += runtime - t->runtime;
	t->runtime = runtime;
}

static __always_inline void kg_find_language(struct kg_thread *t)
{
	if (t->burst.language || t->tries >= KG_LANGUAGE_TRIES)
		return;
	t->tries++;
	t->burst.language = kg_language_of_current();
}

#endif
