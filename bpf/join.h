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

/*
 * A member begins a system call, executes a file or ends: is it still where it was seen
 * the last time? A process moves as a whole, so its first thread stands for it.
 */
static __always_inline void kg_infer_join(const struct kg_out *out, struct kg_member *m,
					  struct task_struct *task)
{
	struct kg_value_event *e;
	struct kg_member *first;
	struct kg_session *s;
	u32 now;

	if (!kg_infers)
		return;
	now = kg_cgroup_id(kg_task_cgroup(task));
	if (now == m->cgroup)
		return;
	m->cgroup = now;
	first = kg_member_of(BPF_CORE_READ(task, tgid));
	if (first && first != m) {
		if (first->cgroup == now)
			return;
		first->cgroup = now;
	}
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
