/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What is heard only while a birth is under way: system calls. User space attaches this
 * program when a pod appears on the node and detaches it when the last birth is over,
 * because it sends every system call of the machine through the kernel's slow path.
 */
#ifndef KG_BIRTHS_H
#define KG_BIRTHS_H

#include "out.h"
#include "syscall.h"
#include "files.h"
#include "entrypoint.h"
#include "call.h"

/*
 * Namespace flags of clone3's argument, include/uapi/linux/sched.h struct clone_args. That of
 * a time namespace is among them; in clone's own flags its bit is the signal's at the end.
 */
static __always_inline u32 kg_clone3_flags(u64 arguments)
{
	u64 flags = 0;

	bpf_probe_read_user(&flags, sizeof(flags), (void *)arguments);
	return flags & (KG_CLONE_NAMESPACES | KG_CLONE_NEWTIME);
}

/* The namespaces that a call has made. Its arguments are still there at its end. */
static __always_inline u32 kg_namespace_flags(struct pt_regs *regs, long nr)
{
	u64 first = KG_SYSCALL_ARG1(regs);

	if (nr == KG_NR_UNSHARE)
		return first & (KG_CLONE_NAMESPACES | KG_CLONE_NEWTIME);
	if (nr == KG_NR_CLONE)
		return first & KG_CLONE_NAMESPACES;
	return kg_clone3_flags(first);
}

/*
 * A mount by a daemon that belongs to no birth, or by a shim; it has succeeded. Its
 * target says whose it is: a network namespace's name is what the CNI plugins are told, a
 * volume's path has the pod's UID, a root file system's the container's id.
 */
static __always_inline void kg_mount(const struct kg_out *out, const char *target, u64 session,
				     u32 actor)
{
	struct kg_path_event *e = kg_reserve(out, sizeof(*e));

	if (!e)
		return;
	kg_fill(&e->h, KG_MOUNT, (struct task_struct *)bpf_get_current_task(), session, actor);
	e->path[0] = 0;
	bpf_probe_read_user_str(e->path, sizeof(e->path), target);
	kg_submit(out, e, sizeof(*e), BPF_RB_NO_WAKEUP);
}

static __always_inline const char *kg_mount_target(struct pt_regs *regs, long nr)
{
	return (const char *)(nr == KG_NR_MOUNT ? KG_SYSCALL_ARG2(regs) : KG_SYSCALL_ARG4(regs));
}

static __always_inline void kg_mounted(struct kg_session *s)
{
	u64 now = bpf_ktime_get_ns();

	__sync_fetch_and_add(&s->mounts, 1);
	if (!s->first_mount_ns)
		s->first_mount_ns = now;
	s->last_mount_ns = now;
}

#define KG_PR_SET_SECCOMP 22
#define KG_SECCOMP_SET_MODE_FILTER 1

/* What a runtime or a plugin has done on the way to the entrypoint. */
static __always_inline void kg_runtime_did(const struct kg_out *out, struct kg_session *s,
					   struct kg_member *m, struct pt_regs *regs, long nr)
{
	if (nr == KG_NR_WRITE) {
		kg_cgroup_write(out, s, m, regs);
	} else if (nr == KG_NR_SETNS) {
		if (kg_tells(s, KG_SETNS))
			kg_tell_value(out, m, KG_SETNS, KG_SYSCALL_ARG2(regs));
	} else if (nr == KG_NR_SECCOMP || nr == KG_NR_PRCTL) {
		u64 op = KG_SYSCALL_ARG1(regs);

		if (op == (nr == KG_NR_PRCTL ? KG_PR_SET_SECCOMP : KG_SECCOMP_SET_MODE_FILTER) &&
		    kg_tells(s, KG_SECCOMP))
			kg_tell_value(out, m, KG_SECCOMP, 0);
	} else if (nr == KG_NR_SENDTO || nr == KG_NR_SENDMSG) {
		kg_sent(out, s, m, regs, nr);
	} else if (nr == KG_NR_SETSOCKOPT) {
		kg_table_replaced(out, s, m, regs);
	}
}

/*
 * Whether the end of a system call tells anything: of most it does not, and a
 * birth has ten thousand. What is asked for here is what kg_done looks at.
 */
static __always_inline bool kg_end_matters(const struct kg_member *m, long nr, long ret)
{
	switch (nr) {
	case KG_NR_MOUNT:
	case KG_NR_MOVE_MOUNT:
	case KG_NR_PIVOT_ROOT:
	case KG_NR_ACCEPT:
	case KG_NR_ACCEPT4:
		return true;
	case KG_NR_UNSHARE:
		return !ret;
	case KG_NR_CLONE:
	case KG_NR_CLONE3:
		return ret > 0; /* 0: a child, which comes by here, too */
	case KG_NR_EXECVE:
	case KG_NR_EXECVEAT:
		return ret < 0;
	}
	if (m->actor != KG_ACTOR_OWN)
		return m->linking && ret >= 0 && (nr == KG_NR_OPENAT || nr == KG_NR_OPEN);
	if (ret < 0)
		return kg_looks_up(nr);
	switch (nr) {
	case KG_NR_WRITE:
		return m->role == KG_ROLE_RUNTIME;
	case KG_NR_SENDTO:
	case KG_NR_SENDMSG:
	case KG_NR_SETSOCKOPT:
		return m->role == KG_ROLE_CNI;
	case KG_NR_SETNS:
	case KG_NR_SECCOMP:
	case KG_NR_PRCTL:
		return true;
	}
	return false;
}

/*
 * A member's system call has ended, one of those that kg_end_matters names. By itself, as
 * most have ended before: what they run through is to be short.
 */
static __noinline int kg_done(const struct kg_out *out, struct kg_member *m, struct pt_regs *regs,
			      long nr, long ret)
{
	struct kg_session *s = kg_session_of(m);

	if (!s)
		return 0;
	if (nr == KG_NR_MOUNT || nr == KG_NR_MOVE_MOUNT) {
		if (!ret)
			kg_mounted(s);
		if (!ret && m->role == KG_ROLE_SHIM && kg_tells(s, KG_MOUNT))
			kg_mount(out, kg_mount_target(regs, nr), m->session, m->actor);
	} else if (nr == KG_NR_UNSHARE || nr == KG_NR_CLONE || nr == KG_NR_CLONE3) {
		u32 made = kg_namespace_flags(regs, nr);

		if (made && kg_tells(s, KG_NAMESPACES))
			kg_tell_value(out, m, KG_NAMESPACES, made);
	} else if (nr == KG_NR_PIVOT_ROOT) {
		if (!ret && kg_tells(s, KG_PIVOT_ROOT))
			kg_tell_value(out, m, KG_PIVOT_ROOT, 0);
	} else if (nr == KG_NR_ACCEPT || nr == KG_NR_ACCEPT4) {
		if (ret >= 0 && !s->accepts) {
			s->accepts = 1;
			kg_tell_value(out, m, KG_ACCEPT, 0);
		}
	} else if (nr == KG_NR_EXECVE || nr == KG_NR_EXECVEAT) {
		kg_exec_failed(out, s, m, regs, nr, -ret);
	} else if (m->actor != KG_ACTOR_OWN) {
		kg_opened(m, regs, nr);
	} else if (ret < 0) {
		if (s->deeds[KG_PIVOT_ROOT])
			kg_lookup_failed(out, s, m, regs, nr, -ret);
	} else {
		kg_runtime_did(out, s, m, regs, nr);
	}
	return 0;
}

/*
 * A member's system call has ended. One whose session is over is heard no more.
 */
static __always_inline void kg_member_returns(const struct kg_out *out, struct kg_member *m,
					      struct pt_regs *regs, long nr, long ret)
{
	struct kg_session *s = kg_session_of(m);
	bool compat = kg_is_compat();

	if (!s) {
		kg_member_drop((u32)bpf_get_current_pid_tgid());
		return;
	}
	kg_learn_registers(regs);
	kg_infer_join(out, m, (struct task_struct *)bpf_get_current_task());
	kg_count_call(out, s, m, compat ? kg_compat_ended(nr, ret) : kg_native_ended(nr, ret));
	m->counted = 0;
	m->seeming = KG_SEEMS_UNFINISHED(regs, ret) ? nr + 1 : 0;
	if (!compat && kg_end_matters(m, nr, ret)) /* the arguments of a 32-bit one lie elsewhere */
		kg_done(out, m, regs, nr, ret);
}

/*
 * Of a bystander it is asked whether it mounts for a pod. Nothing need be kept of the
 * beginning: a call's registers are still there at its end, and so is the path that the
 * kernel has just read.
 */
static __always_inline void kg_bystander_returns(const struct kg_out *out, struct pt_regs *regs,
						 long nr, long ret)
{
	struct task_struct *task;

	if (ret || (nr != KG_NR_MOUNT && nr != KG_NR_MOVE_MOUNT))
		return;
	task = (struct task_struct *)bpf_get_current_task();
	if (!KG_IS_COMPAT(task) && kg_administers(task))
		kg_mount(out, kg_mount_target(regs, nr), 0, 0);
}

/* kernel/entry/common.c syscall_exit_work(). */
KG_TRACEPOINT("sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	struct kg_member *m = kg_member_of((u32)bpf_get_current_pid_tgid());

	if (m)
		kg_member_returns(KG_OUT(RETURN), m, regs, (s32)KG_SYSCALL_NR_ARGUMENT(regs), ret);
	else if (!ret)
		kg_bystander_returns(KG_OUT(RETURN), regs, (s32)KG_SYSCALL_NR_ARGUMENT(regs), ret);
	return 0;
}

#if defined(KG_RAW) && !defined(KG_OLD)
/* The record has not the registers; the task's are those with which it entered the kernel. */
SEC("tracepoint/raw_syscalls/sys_exit")
int sys_exit_record(struct trace_event_raw_sys_exit *ctx)
{
	struct kg_member *m = kg_member_of((u32)bpf_get_current_pid_tgid());
	long nr = (s32)ctx->id, ret = ctx->ret;
	struct pt_regs *regs;

	if (!m && (ret || (nr != KG_NR_MOUNT && nr != KG_NR_MOVE_MOUNT)))
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	if (m)
		kg_member_returns(KG_OUT(RETURN), m, regs, nr, ret);
	else
		kg_bystander_returns(KG_OUT(RETURN), regs, nr, ret);
	return 0;
}
#endif

#endif
