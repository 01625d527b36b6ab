/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Work and waiting of a birth's threads. Attached only while a birth is under
 * way. One event each time that one leaves its CPU; user space puts the
 * stretches on and off the CPU together.
 */
#ifndef KG_SCHED_H
#define KG_SCHED_H

#include "call.h"

#define KG_TASK_UNINTERRUPTIBLE 2 /* include/linux/sched.h */

static __always_inline long kg_task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return KG_FIELD(task, __state);
	return BPF_CORE_READ((struct task_struct___state *)task, state);
}

static __always_inline void kg_send_stretch(const struct kg_out *out, struct kg_session *s,
					    const struct kg_member *m, u32 tid, u64 off, u32 state,
					    s32 nr)
{
	struct kg_stretch_event *e;
	u64 most = KG_STRETCHES_OWN;

	if (m->actor == KG_ACTOR_WORKLOAD)
		most = KG_STRETCHES_WORKLOAD;
	else if (m->role == KG_ROLE_SHIM)
		most = KG_STRETCHES_SHIM;
	if (!s || s->stretches >= most)
		return;
	__sync_fetch_and_add(&s->stretches, 1);
	e = kg_reserve(out, sizeof(*e));
	if (!e)
		return;
	/* Not kg_fill: whose the thread is, its session says; this runs in the scheduler. */
	e->h.time_ns = off;
	e->h.session = m->session;
	e->h.cgroup = 0;
	e->h.pid = 0;
	e->h.tid = tid;
	e->h.kind = KG_STRETCH;
	e->h.actor = m->actor;
	e->h.mnt_ns = 0;
	e->woken_ns = m->woken_ns;
	e->on_ns = m->on_ns;
	e->nr = nr;
	e->state = state;
	kg_submit(out, e, sizeof(*e), BPF_RB_NO_WAKEUP);
}

static __always_inline void kg_switch_out(const struct kg_out *out, struct kg_member *m,
					  struct task_struct *task, u32 tid, bool preempted,
					  u64 now)
{
	struct kg_session *s = kg_session_of(m);
	long state = kg_task_state(task);
	s32 nr = KG_NR_NONE;
	u32 why = 0;

	if (preempted || !state)
		why = KG_STRETCH_RUNNABLE;
	else if (KG_BIT(task, in_iowait))
		why = KG_STRETCH_IOWAIT;
	else if (state & KG_TASK_UNINTERRUPTIBLE)
		why = KG_STRETCH_UNINTERRUPTIBLE;
	if (why != KG_STRETCH_RUNNABLE)
		nr = kg_sleeps_in_call(out, s, m, task);
	kg_send_stretch(out, s, m, tid, now, why, nr);
	m->off_ns = now;
	m->woken_ns = why == KG_STRETCH_RUNNABLE ? now : 0;
}

/*
 * A CPU changes from one thread to another. Of most switches both are bystanders, and
 * two loads and two hints are all that these cost where the arguments are typed.
 */
static __always_inline int kg_switched(const struct kg_out *out, bool preempted,
				       struct task_struct *prev, u32 from, u32 to)
{
	struct kg_member *leaves, *comes;
	u64 now;

	if (!(kg_hints[from % KG_HINTS] | kg_hints[to % KG_HINTS]))
		return 0;
	now = bpf_ktime_get_ns();
	leaves = kg_member_of(from);
	if (leaves)
		kg_switch_out(out, leaves, prev, from, preempted, now);
	comes = kg_member_of(to);
	if (comes) {
		comes->off_ns = 0;
		comes->on_ns = now;
	}
	return 0;
}

/*
 * kernel/sched/core.c __schedule(). Since 5.18 prev_state is a further argument;
 * the task's own field says the same here and on older kernels.
 */
KG_TRACEPOINT("sched_switch")
int BPF_PROG(sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return kg_switched(KG_OUT(SWITCH), preempt, prev, KG_FIELD(prev, pid), KG_FIELD(next, pid));
}

static __always_inline int kg_woken(u32 tid)
{
	struct kg_member *m = kg_member_of(tid);

	if (m && m->off_ns && !m->woken_ns)
		m->woken_ns = bpf_ktime_get_ns();
	return 0;
}

/* kernel/sched/core.c ttwu_do_wakeup(), ttwu_do_activate() in later kernels. */
KG_TRACEPOINT("sched_wakeup")
int BPF_PROG(sched_wakeup, struct task_struct *task)
{
	return kg_woken(KG_FIELD(task, pid));
}

#if defined(KG_RAW)
#define KG_TASK_REPORT_MAX 0x100 /* include/linux/sched.h: in a record's state, "preempted" */

/* The thread that leaves is the current one. */
SEC("tracepoint/sched/sched_switch")
int sched_switch_record(struct trace_event_raw_sched_switch *ctx)
{
	return kg_switched(KG_OUT(SWITCH), ctx->prev_state & KG_TASK_REPORT_MAX,
			   (struct task_struct *)bpf_get_current_task(), ctx->prev_pid,
			   ctx->next_pid);
}

SEC("tracepoint/sched/sched_wakeup")
int sched_wakeup_record(struct trace_event_raw_sched_wakeup_template *ctx)
{
	return kg_woken(ctx->pid);
}
#endif

#endif
