/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The kernel kills a process for want of memory. */
#ifndef KG_MEMORY_H
#define KG_MEMORY_H

#include "out.h"

static __always_inline int kg_is_victim(const struct kg_out *out, u32 tid)
{
	struct kg_member *m = kg_member_of(tid);

	if (m)
		kg_tell_value(out, m, KG_OOM, tid);
	return 0;
}

/*
 * mm/oom_kill.c __oom_kill_process(), 4.14+. Its argument is a process id, since
 * 6.9 the task: a number that is no address is the id. Never typed, as one program
 * is to be for both.
 */
SEC("raw_tp/mark_victim")
int mark_victim(struct bpf_raw_tracepoint_args *ctx)
{
	u64 victim = ctx->args[0];
	struct task_struct *task = (struct task_struct *)victim;

	return kg_is_victim(KG_OUT(VICTIM),
			    victim > 0xffffffffULL ? BPF_CORE_READ(task, pid) : (u32)victim);
}

#if defined(KG_RAW)
SEC("tracepoint/oom/mark_victim")
int mark_victim_record(struct trace_event_raw_mark_victim *ctx)
{
	return kg_is_victim(KG_OUT(VICTIM), ctx->pid);
}
#endif

#endif
