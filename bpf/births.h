/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What is heard only while a birth is under way: system calls and listening
 * sockets. User space attaches these programs when a pod appears on the node
 * and detaches them when the last birth is over, because a program on
 * sys_enter sends every system call of the machine through the slow entry path.
 */
#ifndef KG_BIRTHS_H
#define KG_BIRTHS_H

#include "maps.h"
#include "syscall.h"

/* Namespace flags of clone3's argument, include/uapi/linux/sched.h struct clone_args. */
static __always_inline u32 kg_clone3_flags(struct pt_regs *regs)
{
	u64 flags = 0;

	bpf_probe_read_user(&flags, sizeof(flags), (void *)KG_SYSCALL_ARG1(regs));
	return flags & KG_CLONE_NAMESPACES;
}

static __always_inline u32 kg_namespace_flags(struct pt_regs *regs, long nr)
{
	if (nr == KG_NR_UNSHARE)
		return KG_SYSCALL_ARG1(regs) & (KG_CLONE_NAMESPACES | KG_CLONE_NEWTIME);
	if (nr == KG_NR_CLONE)
		return KG_SYSCALL_ARG1(regs) & KG_CLONE_NAMESPACES;
	return kg_clone3_flags(regs);
}

/*
 * A runtime makes a pod's network namespace in a thread of its daemon, which
 * belongs to no birth, and keeps it by a bind mount under /run/netns. The
 * mount's target is what the CNI plugins are told: by it the namespace finds
 * its pod.
 */
static __always_inline void kg_netns_bind(struct pt_regs *regs)
{
	const char *target = (const char *)KG_SYSCALL_ARG2(regs);
	struct kg_file_event *e;
	char head[16] = {};

	bpf_probe_read_user_str(head, sizeof(head), target);
	if (KG_IS(head, "/var/run/netns/") || KG_IS(head, "/run/netns/")) {
		e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
		if (!e) {
			kg_count_lost(KG_LOST_EVENTS);
			return;
		}
		kg_fill(&e->h, KG_NETNS_BIND, (struct task_struct *)bpf_get_current_task(), 0, 0);
		e->filename[0] = 0;
		bpf_probe_read_user_str(e->filename, sizeof(e->filename), target);
		bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	}
}

/* kernel/entry/common.c syscall_trace_enter(); arch-specific before 5.9. */
SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long nr)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct kg_member *m = bpf_map_lookup_elem(&members, &tid);
	struct kg_session *s;

	if (!m) {
		if (nr == KG_NR_MOUNT)
			kg_netns_bind(regs);
		return 0;
	}
	s = kg_session_of(m);
	if (!s) {
		bpf_map_delete_elem(&members, &tid);
		return 0;
	}
	if (nr >= 0 && nr < KG_SYSCALLS)
		__sync_fetch_and_add(&s->syscalls[nr], 1);
	m->pending = 0;
	if (nr == KG_NR_UNSHARE || nr == KG_NR_CLONE || nr == KG_NR_CLONE3)
		m->pending = kg_namespace_flags(regs, nr);
	return 0;
}

static __always_inline void kg_mounted(struct kg_session *s)
{
	u64 now = bpf_ktime_get_ns();

	__sync_fetch_and_add(&s->mounts, 1);
	if (!s->first_mount_ns)
		s->first_mount_ns = now;
	s->last_mount_ns = now;
}

/* kernel/entry/common.c syscall_exit_work(). */
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct kg_member *m = bpf_map_lookup_elem(&members, &tid);
	struct kg_session *s;
	long nr;

	if (!m)
		return 0;
	s = kg_session_of(m);
	if (!s)
		return 0;
	nr = (s32)KG_SYSCALL_NR(regs);
	if (nr == KG_NR_MOUNT || nr == KG_NR_MOVE_MOUNT) {
		if (!ret)
			kg_mounted(s);
	} else if (nr == KG_NR_UNSHARE || nr == KG_NR_CLONE || nr == KG_NR_CLONE3) {
		if (ret >= 0 && m->pending)
			kg_send_value(KG_NAMESPACES, task, m, m->pending, 0);
		m->pending = 0;
	} else if (nr == KG_NR_PIVOT_ROOT) {
		if (!ret)
			kg_send_value(KG_PIVOT_ROOT, task, m, 0, 0);
	} else if (nr == KG_NR_ACCEPT || nr == KG_NR_ACCEPT4) {
		if (ret >= 0 && !s->accepts) {
			s->accepts = 1;
			kg_send_value(KG_ACCEPT, task, m, 0, 0);
		}
	} else if (nr == KG_NR_EXECVE || nr == KG_NR_EXECVEAT) {
		if (ret < 0 && s->execs <= KG_WORKLOAD_EVENTS)
			kg_send_value(KG_EXEC_FAILED, task, m, -ret, 0);
	}
	return 0;
}

#define KG_TCP_LISTEN 10

/* net/ipv4/af_inet.c inet_sk_set_state(), 4.16+; a listen runs in its caller's context. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_state, struct sock *sk, int old_state, int new_state)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct kg_member *m;
	struct kg_session *s;

	if (new_state != KG_TCP_LISTEN)
		return 0;
	m = bpf_map_lookup_elem(&members, &tid);
	if (!m)
		return 0;
	s = kg_session_of(m);
	if (!s || s->listens >= 8)
		return 0;
	__sync_fetch_and_add(&s->listens, 1);
	kg_send_value(KG_LISTEN, task, m, BPF_CORE_READ(sk, __sk_common.skc_num), 0);
	return 0;
}

#endif
