/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The kernel kills a process for want of memory. */
#ifndef KG_MEMORY_H
#define KG_MEMORY_H

#include "maps.h"

/*
 * mm/oom_kill.c __oom_kill_process(), 4.14+. Its argument is a process id, since
 * 6.9 the task: a number that is no address is the id.
 */
SEC("raw_tp/mark_victim")
int mark_victim(struct bpf_raw_tracepoint_args *ctx)
{
	u64 victim = ctx->args[0];
	struct task_struct *task = (struct task_struct *)victim;
	u32 tid = victim > 0xffffffffULL ? BPF_CORE_READ(task, pid) : (u32)victim;
	struct kg_member *m = kg_member_of(tid);

	if (m)
		kg_send_value(KG_OOM, (struct task_struct *)bpf_get_current_task(), m, tid, 0);
	return 0;
}

#endif
