/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How a member's system calls are counted: at their end, by one program, as a second one
 * on the entry would cost each call of a birth as much again. What has no end, or one that
 * does not say what it was, is counted where it is known:
 *
 * - a call in which its thread goes to sleep: then, for it may never return;
 * - a call in which its thread ends: when it does;
 * - an exec that succeeds: when the new program is there, for those who executed it.
 *
 * A child that returns from the call which made it has made no call.
 */
#ifndef KG_CALL_H
#define KG_CALL_H

#include "out.h"
#include "entrypoint.h"
#include "join.h"

#define KG_NR_NONE (-1)

/*
 * How far the registers with which a thread entered the kernel lie behind the beginning of
 * its stack, the same for all: the first end of a call tells it. 0: not known yet.
 */
u64 kg_registers_at;

enum bpf_func_id___task {
	BPF_FUNC_get_current_task_btf___task = 158, /* 5.11 */
	BPF_FUNC_task_pt_regs___task = 175,	    /* 5.15 */
};

/* Whether the current thread's call is a 32-bit one. */
static __always_inline bool kg_is_compat(void)
{
#if !defined(KG_RAW)
	if (bpf_core_enum_value_exists(enum bpf_func_id___task,
				       BPF_FUNC_get_current_task_btf___task))
		return KG_IS_COMPAT_OF(bpf_get_current_task_btf());
#endif
	return KG_IS_COMPAT((struct task_struct *)bpf_get_current_task());
}

/* The verifier lets nobody count with a pointer that it follows: it is read as bytes. */
static __always_inline void kg_learn_registers(struct pt_regs *regs)
{
	struct pt_regs *volatile pointer = regs;
	struct task_struct *task;
	u64 at = 0;

	if (kg_registers_at)
		return;
	bpf_probe_read_kernel(&at, sizeof(at), (void *)&pointer);
	task = (struct task_struct *)bpf_get_current_task();
	kg_registers_at = at - (u64)BPF_CORE_READ(task, stack);
}

/*
 * The call that a thread has begun and not ended; KG_NR_NONE: there is none. One whose end
 * looks as if it went on is kept in mind.
 */
static __always_inline s32 kg_unfinished_call(const struct kg_member *m, struct task_struct *task)
{
	struct pt_regs *regs;
	s32 nr;

#if !defined(KG_RAW)
	/* Loads, where the verifier knows what the task is: this runs in the scheduler. */
	if (bpf_core_enum_value_exists(enum bpf_func_id___task, BPF_FUNC_task_pt_regs___task)) {
		regs = (struct pt_regs *)bpf_task_pt_regs(task);
		nr = KG_SYSCALL_NR_OF(regs);
		if (nr < 0 || nr + 1 == (s32)m->seeming || !KG_IS_UNFINISHED_OF(task, regs))
			return KG_NR_NONE;
		return KG_IS_COMPAT_OF(task) ? KG_NR_COMPAT : nr;
	}
#endif
	if (!kg_registers_at)
		return KG_NR_NONE;
	regs = (struct pt_regs *)((u64)BPF_CORE_READ(task, stack) + kg_registers_at);
	nr = KG_SYSCALL_NR(regs);
	if (nr < 0 || nr + 1 == (s32)m->seeming || !KG_IS_UNFINISHED(task, regs))
		return KG_NR_NONE;
	return KG_IS_COMPAT(task) ? KG_NR_COMPAT : nr;
}

/*
 * What is counted where a call ends. A return from a signal's handler has taken its own
 * number away (arch/x86/kernel/signal.c restore_sigcontext, arm64 restore_sigframe); a call
 * that never had one is refused.
 */
static __always_inline s32 kg_native_ended(s32 nr, long ret)
{
	if (nr == KG_NR_NONE)
		return ret == -KG_ENOSYS ? KG_NR_NONE : KG_NR_RT_SIGRETURN;
	if (!ret && (KG_IS_FORK(nr) || nr == KG_NR_EXECVE || nr == KG_NR_EXECVEAT))
		return KG_NR_NONE;
	return nr;
}

static __always_inline s32 kg_compat_ended(s32 nr, long ret)
{
	if (!ret && (KG_IS_COMPAT_FORK(nr) || KG_IS_COMPAT_EXEC(nr)))
		return KG_NR_NONE;
	return KG_NR_COMPAT;
}

/* Once for each call, however often it is come by. */
static __always_inline void kg_count_call(const struct kg_out *out, struct kg_session *s,
					  struct kg_member *m, s32 nr)
{
	u32 at = nr;

	if (nr < 0 || m->counted)
		return;
	/* Older verifiers forget what has been compared: it is said once more, where it counts. */
	barrier_var(at);
	if (nr < KG_SYSCALLS)
		__sync_fetch_and_add(&s->syscalls[at & (KG_SYSCALLS - 1)], 1);
	if (nr != KG_NR_COMPAT)
		kg_watch_linking(out, m, nr);
}

/* A thread leaves its CPU within a call. That call; KG_NR_NONE: it is in none. */
static __always_inline s32 kg_sleeps_in_call(const struct kg_out *out, struct kg_session *s,
					     struct kg_member *m, struct task_struct *task)
{
	s32 nr = kg_unfinished_call(m, task);

	if (s && nr >= 0 && kg_counts_calls()) {
		kg_count_call(out, s, m, nr);
		m->counted = 1;
	}
	return nr;
}

/* The current thread ends. In a call, if it has called for it; it leaves its CPU in it, too. */
static __always_inline void kg_ends_in_call(const struct kg_out *out, struct kg_session *s,
					    struct kg_member *m, struct task_struct *task)
{
	if (!kg_counts_calls())
		return;
	kg_count_call(out, s, m, kg_unfinished_call(m, task));
	m->counted = 1;
}

/*
 * A member has executed a file. Which of the two calls it was is not in the registers any
 * more (arch/x86/kernel/process_64.c set_personality_64bit), but the name that the kernel
 * makes up for a file that is named by a descriptor says it (fs/exec.c alloc_bprm).
 */
static __always_inline void kg_count_exec(const struct kg_out *out, struct kg_member *m,
					  const char *filename)
{
	struct kg_session *s;

	if (!kg_counts_calls())
		return;
	s = kg_session_of(m);
	if (!s)
		return;
	if (kg_is_compat())
		kg_count_call(out, s, m, KG_NR_COMPAT);
	else
		kg_count_call(out, s, m,
			      KG_IS(filename, "/dev/fd/") ? KG_NR_EXECVEAT : KG_NR_EXECVE);
	m->counted = 1;
}

#endif
