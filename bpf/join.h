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

#define KG_EEXIST 17	   /* include/uapi/asm-generic/errno-base.h */
#define KG_MOVE (1U << 31) /* beside a process' id: no thread's, in the table of members */

/*
 * True for one of the threads that see at once that their process has moved. Whoever has
 * put a claim into the table may look: programs have no exchange in memory before 5.12.
 */
static __always_inline bool kg_tells_move(struct kg_member *whole, u32 tgid, u32 now)
{
	u32 claim = tgid | KG_MOVE;
	bool first;

	if (bpf_map_update_elem(&members, &claim, whole, BPF_NOEXIST) == -KG_EEXIST)
		return false;
	first = whole->cgroup != now;
	whole->cgroup = now;
	bpf_map_delete_elem(&members, &claim);
	return first;
}

/*
 * A member begins a system call, executes a file or ends: is it still where it was seen
 * the last time? A process moves as a whole, so its first thread stands for it.
 */
static __always_inline void kg_infer_join(const struct kg_out *out, struct kg_member *m,
					  struct task_struct *task)
{
	struct kg_value_event *e;
	struct kg_member *whole;
	struct kg_session *s;
	u32 now, tgid;

	if (!kg_infers)
		return;
	now = kg_cgroup_id(kg_task_cgroup(task));
	if (now == m->cgroup)
		return;
	tgid = BPF_CORE_READ(task, tgid);
	whole = kg_member_of(tgid);
	if (!whole)
		whole = m;
	if (whole->cgroup == now) {
		m->cgroup = now;
		return;
	}
	if (!kg_tells_move(whole, tgid, now))
		return; /* another thread does; this one looks again at its next event */
	m->cgroup = now;
	s = kg_session_of(m);
	if (!s || !kg_tells(s, KG_CGROUP_JOIN))
		return;
	e = kg_reserve(out, sizeof(*e));
	if (!e)
		return;
	kg_fill(&e->h, KG_CGROUP_JOIN, task, m->session, m->actor);
	e->h.tid = e->h.pid;
	e->value = 0;
	e->cpu_ns = 0;
	kg_submit(out, e, sizeof(*e), BPF_RB_NO_WAKEUP);
}

#endif
