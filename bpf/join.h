/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who has joined a cgroup, where the kernel has no cgroup_attach_task to tell it. */
#ifndef KG_JOIN_H
#define KG_JOIN_H

#include "out.h"

/* Notes where a new member is. */
static __always_inline void kg_notes_cgroup(struct kg_member *m, struct task_struct *task)
{
	if (kg_infers)
		m->cgroup = kg_cgroup_id(kg_task_cgroup(task));
}

#define KG_E2BIG 7		 /* include/uapi/asm-generic/errno-base.h */
#define KG_PF_EXITING 0x00000004 /* include/linux/sched.h */
#define KG_MOVE (1U << 31)	 /* beside a process' id: no thread's, in the table of members */

/*
 * Where a process is: a move takes its threads one after the other, so one of them stands
 * for all. That is the first, or once it has ended, when no move takes it any more, this one.
 */
static __always_inline u64 kg_process_cgroup(struct task_struct *task)
{
	struct task_struct *first = BPF_CORE_READ(task, group_leader);

	if (BPF_CORE_READ(first, flags) & KG_PF_EXITING)
		first = task;
	return kg_cgroup_id(kg_task_cgroup(first));
}

/*
 * Where to, for one of the threads that see at once that their process has moved; 0 for the
 * others, which look again at their next event. Whoever has put a claim into the table may
 * look: programs have no exchange in memory before 5.12. It looks under its claim only, for
 * it may be preempted between any two steps: a place that it had read before could be one
 * that the process has left since, and would be told anew.
 */
static __always_inline u64 kg_tells_move(struct kg_member *whole, struct task_struct *task,
					 u32 tgid)
{
	u32 claim = tgid | KG_MOVE;
	long refused = bpf_map_update_elem(&members, &claim, whole, BPF_NOEXIST);
	u64 now;

	if (refused && refused != -KG_E2BIG)
		return 0;
	now = kg_process_cgroup(task);
	if (whole->cgroup == (u32)now)
		now = 0;
	else
		whole->cgroup = now;
	if (!refused) /* of a full table there is no claim: all look */
		bpf_map_delete_elem(&members, &claim);
	return now;
}

/*
 * By itself: Linux 5.8 forgets a pointer to the ring that lies on the stack, and the less
 * there is to do while one is held, the less has to lie there.
 */
static __noinline int kg_tell_join(const struct kg_out *out, const struct kg_member *m,
				   struct task_struct *task, u64 cgroup)
{
	struct kg_value_event *e = kg_reserve(out, sizeof(*e));

	if (!e)
		return 0;
	kg_fill_in(&e->h, KG_CGROUP_JOIN, task, m->session, m->actor, cgroup);
	e->h.tid = e->h.pid;
	e->value = 0;
	e->cpu_ns = 0;
	kg_submit(out, e, sizeof(*e), BPF_RB_NO_WAKEUP);
	return 0;
}

/*
 * A member ends a system call, executes a file or ends: is it still where it was seen
 * the last time? A process moves as a whole, so its first thread's entry stands for it,
 * and is written under a claim only.
 */
static __always_inline void kg_infer_join(const struct kg_out *out, struct kg_member *m,
					  struct task_struct *task)
{
	struct kg_member *whole;
	struct kg_session *s;
	u32 tgid;
	u64 now;

	if (!kg_infers || (u32)kg_cgroup_id(kg_task_cgroup(task)) == m->cgroup)
		return;
	tgid = BPF_CORE_READ(task, tgid);
	whole = kg_member_of(tgid);
	if (!whole)
		return; /* the process has been told to have ended: so has this, if it moved */
	now = kg_process_cgroup(task);
	/* It is told, or the move has not come to the first thread yet. */
	if (whole->cgroup == (u32)now) {
		if (m != whole)
			m->cgroup = now;
		return;
	}
	now = kg_tells_move(whole, task, tgid);
	if (!now)
		return;
	s = kg_session_of(m);
	if (s && kg_tells(s, KG_CGROUP_JOIN))
		kg_tell_join(out, m, task, now);
}

#endif
