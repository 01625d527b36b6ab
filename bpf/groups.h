/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From a cgroup's id to its task group. */
#ifndef KG_GROUPS_H
#define KG_GROUPS_H

#include "burst.h"

/* What find_group found: a struct task_group, or 0 and where to go on. */
u64 kg_found;
u64 kg_next;

#define KG_STEPS 256

/*
 * Never attached: user space runs it with a cgroup's id and the address of the task
 * group to go on from, 0 for the first time, until there is nothing to go on from. It
 * follows the kernel's own list of task groups, whose head is none and has no id that
 * could be asked for.
 */
SEC("raw_tracepoint/find_group")
int find_group(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct task_group *group = BPF_CORE_READ(task, sched_task_group);
	u64 id = ctx->args[0], first = (u64)group;
	u64 offset = bpf_core_field_offset(struct task_group, list);
	int i;

	if (ctx->args[1])
		group = (struct task_group *)ctx->args[1];
	kg_found = kg_next = 0;
	for (i = 0; i < KG_STEPS; i++) {
		if (kg_group_id(group) == id) {
			kg_found = (u64)group;
			return 0;
		}
		group = (struct task_group *)((u64)BPF_CORE_READ(group, list.next) - offset);
		if ((u64)group == first)
			return 0;
	}
	kg_next = (u64)group;
	return 0;
}

#endif
