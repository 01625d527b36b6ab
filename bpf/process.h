/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The life of processes: who belongs to which birth session. */
#ifndef KG_PROCESS_H
#define KG_PROCESS_H

#include "out.h"
#include "sched.h"

struct kg_desk {
	struct kg_open_event open;
	char buf[KG_ARGS_LEN];
	char key[KG_BASENAME_LEN];
	volatile u32 base; /* kept out of registers: the verifier would follow each value */
};

/* Where an exec is looked at before it is known to matter; too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kg_desk);
} desk SEC(".maps");

static __always_inline u32 kg_role_of(struct kg_desk *t)
{
	u32 i, *role;

	t->base = 0;
	for (i = 0; i < KG_FILENAME_LEN; i++) {
		if (!t->buf[i])
			break;
		if (t->buf[i] == '/')
			t->base = i + 1;
	}
	__builtin_memset(t->key, 0, sizeof(t->key));
	bpf_probe_read_kernel_str(t->key, sizeof(t->key), &t->buf[t->base & (KG_FILENAME_LEN - 1)]);
	role = bpf_map_lookup_elem(&roles, t->key);
	return role ? *role : 0;
}

/*
 * A session's id needs no shared counter: the time of its exec, in units of
 * 1.024 us, and the CPU.
 */
static __always_inline u64 kg_session_id(void)
{
	return (bpf_ktime_get_ns() & ~1023ULL) | (bpf_get_smp_processor_id() & 1023);
}

#define KG_ENV_MAX 160

/* The first eight bytes of a variable, as the number that a load of them gives. */
#define KG_WORD(a, b, c, d, e, f, g, h)                                                            \
	((u64)(a) | (u64)(b) << 8 | (u64)(c) << 16 | (u64)(d) << 24 | (u64)(e) << 32 |             \
	 (u64)(f) << 40 | (u64)(g) << 48 | (u64)(h) << 56)

static __always_inline void kg_take_cni(struct kg_desk *t)
{
	struct kg_open_event *e = &t->open;
	u64 word = *(u64 *)t->buf;

	if (word == KG_WORD('C', 'N', 'I', '_', 'C', 'O', 'N', 'T')) /* CNI_CONTAINERID= */
		bpf_probe_read_kernel_str(e->cni_id, sizeof(e->cni_id), t->buf + 16);
	else if (word == KG_WORD('C', 'N', 'I', '_', 'C', 'O', 'M', 'M')) /* CNI_COMMAND= */
		bpf_probe_read_kernel_str(e->cni_command, sizeof(e->cni_command), t->buf + 12);
	else if (word == KG_WORD('C', 'N', 'I', '_', 'N', 'E', 'T', 'N')) /* CNI_NETNS= */
		bpf_probe_read_kernel_str(e->cni_netns, sizeof(e->cni_netns), t->buf + 10);
	else if (word == KG_WORD('C', 'N', 'I', '_', 'A', 'R', 'G', 'S')) /* CNI_ARGS= */
		bpf_probe_read_kernel_str(e->args, KG_CNI_ARGS_LEN, t->buf + 9);
}

/*
 * The CNI specification hands a plugin its work in the environment. Variables
 * come in any order (libcni passes them through a Go map), so all are looked
 * at; only those of CNI leave the kernel. True if this is a CNI plugin.
 */
static __always_inline bool kg_read_cni(struct kg_desk *t, struct task_struct *task)
{
	u64 pos = BPF_CORE_READ(task, mm, env_start);
	u64 end = BPF_CORE_READ(task, mm, env_end);
	long n;
	int i;

	for (i = 0; i < KG_ENV_MAX; i++) {
		if (pos >= end)
			break;
		n = bpf_probe_read_user_str(t->buf, sizeof(t->buf), (void *)pos);
		if (n <= 0)
			break;
		kg_take_cni(t);
		pos += n;
	}
	return t->open.cni_id[0] != 0;
}

static __always_inline void kg_read_args(struct kg_open_event *e, struct task_struct *task)
{
	u64 start = BPF_CORE_READ(task, mm, arg_start);
	u64 len = BPF_CORE_READ(task, mm, arg_end) - start;

	if (len > sizeof(e->args))
		len = sizeof(e->args);
	e->args_len = len;
	bpf_probe_read_user(e->args, len, (void *)start);
}

static __always_inline void kg_charge_cpu(struct kg_session *s, const struct kg_member *m,
					  struct task_struct *task)
{
	u64 now = BPF_CORE_READ(task, se.sum_exec_runtime);

	__sync_fetch_and_add(&s->cpu_ns, now - m->runtime_at_join_ns);
}

/*
 * A thread that runs ceases to be what it was, for another session or for the
 * workload: what it has used is charged, and its last stretch told. Otherwise the
 * state in which it left its CPU the last time would seem to go on.
 */
static __always_inline void kg_leave(const struct kg_out *out, const struct kg_member *m,
				     struct task_struct *task, u32 tid)
{
	struct kg_session *s = kg_session_of(m);

	if (!s)
		return;
	kg_charge_cpu(s, m, task);
	kg_send_stretch(out, s, m, tid, bpf_ktime_get_ns(), KG_STRETCH_LAST, KG_NR_NONE);
}

/*
 * Verifiers up to 5.9 forget a note of 32 bits that a pointer is NULL, which lay on the
 * stack: the pointer itself is to be asked each time.
 */
#define KG_ASK_AGAIN(pointer) barrier_var(pointer)

/*
 * Opens a session for the current task and makes it its first member. A member
 * of another session (a shim's runtime) leaves that one, which is told as parent.
 */
static __always_inline void kg_open_session(const struct kg_out *out, struct kg_desk *t,
					    struct task_struct *task, u32 role,
					    const struct kg_member *old)
{
	/* Its exec has not ended yet, and was none of this session. */
	struct kg_member m = {
		.session = kg_session_id(), .role = role, .counted = kg_counts_calls()};
	u32 tid = BPF_CORE_READ(task, pid);
	struct kg_session *s;

	m.mnt_ns = kg_mnt_ns(task);
	kg_notes_cgroup(&m, task);
	m.runtime_at_join_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
	t->open.role = role;
	KG_ASK_AGAIN(old);
	t->open.parent = old ? old->session : 0;
	s = kg_session_make(&m);
	if (!s)
		return; /* it goes on in the old one */
	s->processes = 1;
	s->execs = 1;
	KG_ASK_AGAIN(old);
	if (old)
		kg_leave(out, old, task, tid);
	if (!kg_member_put(tid, &m)) {
		kg_session_drop(&m); /* nobody would hear of it, nor end it */
		return;
	}
	kg_fill(&t->open.h, KG_SESSION_OPEN, task, m.session, KG_ACTOR_OWN);
	kg_send(out, &t->open, sizeof(t->open), kg_wakeup());
}

/*
 * A container's init is still the runtime's until it executes a file inside a
 * mount namespace other than the one that the runtime started in: that is the
 * entrypoint. (The runtime's re-execs of itself happen before, in the host's.)
 */
static __always_inline struct kg_session *
kg_become_workload(const struct kg_out *out, struct kg_member *m, struct task_struct *task)
{
	struct kg_session *s;

	kg_leave(out, m, task, BPF_CORE_READ(task, pid));
	m->actor = KG_ACTOR_WORKLOAD;
	m->linking = 1;
	m->entry = 1;
	m->opened = 0;
	m->runtime_at_join_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
	m->slot = KG_SESSIONS; /* none, if none is left */
	s = kg_session_make(m);
	if (s)
		__sync_fetch_and_add(&s->processes, 1);
	return s;
}

static __always_inline void kg_member_exec(const struct kg_out *out, struct kg_member *m,
					   struct task_struct *task, const char *filename)
{
	struct kg_session *s = kg_session_of(m);
	struct kg_file_event *e;

	if (!s)
		return;
	if (m->actor == KG_ACTOR_OWN && kg_mnt_ns(task) != m->mnt_ns)
		s = kg_become_workload(out, m, task);
	if (!s)
		return;
	__sync_fetch_and_add(&s->execs, 1);
	if (s->execs > KG_WORKLOAD_EVENTS)
		return;
	e = kg_reserve(out, sizeof(*e));
	if (!e)
		return;
	kg_fill(&e->h, KG_EXEC, task, m->session, m->actor);
	e->filename[0] = 0;
	bpf_probe_read_kernel_str(e->filename, sizeof(e->filename), filename);
	kg_submit(out, e, sizeof(*e), BPF_RB_NO_WAKEUP);
}

/* An exec by a thread that is not the leader takes over the leader's id. */
static __always_inline struct kg_member *kg_member_at_exec(const struct kg_out *out, u32 tid,
							   u32 old_tid)
{
	struct kg_member *m = kg_member_of(old_tid);
	struct kg_member copy, *leader;

	if (tid == old_tid || !m)
		return m;
	copy = *m;
	kg_send_stretch(out, kg_session_of(&copy), &copy, old_tid, bpf_ktime_get_ns(),
			KG_STRETCH_LAST, KG_NR_NONE);
	copy.on_ns = bpf_ktime_get_ns();
	leader = kg_member_of(tid);
	if (leader) { /* what is known of the process does not depend on the thread */
		copy.entry |= leader->entry;
		copy.cgroup = leader->cgroup;
	}
	kg_member_drop(old_tid);
	kg_member_put(tid, &copy);
	return kg_member_of(tid);
}

static __always_inline int kg_executed(const struct kg_out *out, struct task_struct *task,
				       u32 old_tid, const char *filename)
{
	struct kg_member *m;
	struct kg_desk *t;
	u32 zero = 0, role;

	t = bpf_map_lookup_elem(&desk, &zero);
	if (!t)
		return 0;
	m = kg_member_at_exec(out, BPF_CORE_READ(task, pid), old_tid);
	if (m && !kg_session_of(m))
		m = NULL; /* the session is over, or the id was another process' */
	if (m)
		kg_infer_join(out, m, task);
	else if (!kg_administers(task))
		return 0; /* whatever it is called, and whatever its environment says */
	t->buf[0] = 0;
	bpf_probe_read_kernel_str(t->buf, KG_FILENAME_LEN, filename);
	KG_ASK_AGAIN(m);
	if (m)
		kg_count_exec(out, m, t->buf);
	role = kg_role_of(t);
	KG_ASK_AGAIN(m);
	/* What a container executes is its own, whatever it is called. */
	if (m && (!role || m->actor == KG_ACTOR_WORKLOAD || kg_mnt_ns(task) != m->mnt_ns)) {
		kg_member_exec(out, m, task, filename);
		return 0;
	}
	t->open.args_len = 0;
	t->open.args[0] = t->open.cni_command[0] = 0;
	t->open.cni_id[0] = t->open.cni_netns[0] = 0;
	bpf_probe_read_kernel_str(t->open.filename, sizeof(t->open.filename), filename);
	if (role) {
		kg_read_args(&t->open, task);
		kg_open_session(out, t, task, role, m);
	} else if (kg_read_cni(t, task)) {
		kg_open_session(out, t, task, KG_ROLE_CNI, m);
	}
	return 0;
}

/* fs/exec.c exec_binprm(), after the new image is in place. */
KG_TRACEPOINT("sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_tid, struct linux_binprm *bprm)
{
	return kg_executed(KG_OUT(EXEC), task, old_tid, BPF_CORE_READ(bprm, filename));
}

#if defined(KG_RAW)
SEC("tracepoint/sched/sched_process_exec")
int process_exec_record(struct trace_event_raw_sched_process_exec *ctx)
{
	return kg_executed(KG_OUT(EXEC), (struct task_struct *)bpf_get_current_task(), ctx->old_pid,
			   KG_RECORD_TEXT(ctx, filename));
}
#endif

/*
 * kernel/fork.c kernel_clone(). Membership comes from the task that forks:
 * runc's stages use CLONE_PARENT, so real_parent would be the wrong one.
 */
KG_TRACEPOINT("sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *forker, struct task_struct *child)
{
	const struct kg_out *out = KG_OUT(FORK);
	u32 tid = BPF_CORE_READ(forker, pid), child_tid;
	struct kg_member *m = kg_member_of(tid), copy = {};
	struct kg_session *s;
	bool is_process;

	if (!m)
		return 0;
	s = kg_session_of(m);
	if (!s) {
		kg_member_drop(tid);
		return 0;
	}
	child_tid = BPF_CORE_READ(child, pid);
	is_process = child_tid == (u32)BPF_CORE_READ(child, tgid);
	copy.session = m->session;
	copy.slot = m->slot;
	copy.actor = m->actor;
	copy.mnt_ns = m->mnt_ns;
	copy.role = m->role;
	kg_notes_cgroup(&copy, child);
	copy.off_ns = copy.woken_ns = bpf_ktime_get_ns(); /* ready to run, and not yet on a CPU */
	if (!kg_member_put(child_tid, &copy))
		return 0;
	__sync_fetch_and_add(is_process ? &s->processes : &s->threads, 1);
	/* Born into its cgroup (CLONE_INTO_CGROUP): no cgroup_attach_task tells it. */
	if (is_process && kg_task_cgroup(forker) != kg_task_cgroup(child) &&
	    kg_tells(s, KG_CGROUP_JOIN))
		kg_send_value(out, KG_CGROUP_JOIN, child, &copy, 0, 0);
	return 0;
}

/*
 * True for one thread of a process that has ended. The first thread may end long
 * before its process: by its own exit, or because another thread executes a file
 * and takes over its id. signal->live counts the threads that have not begun to
 * end; threads that end at once may all read 0 here. The leader's entry stays
 * until the leader has passed by and live is 0, and goes to one of them. entry tells
 * whether the process was its container's entrypoint.
 */
static __always_inline bool kg_last_of_process(struct task_struct *task, bool *entry)
{
	u32 tgid = BPF_CORE_READ(task, tgid);
	struct kg_member *leader = kg_member_of(tgid);

	if (!leader)
		return false;
	if (tgid == (u32)BPF_CORE_READ(task, pid))
		__sync_fetch_and_add(&leader->ended, 1); /* a barrier, too: first told, then read */
	if (!leader->ended || BPF_CORE_READ(task, signal, live.counter) > 0)
		return false;
	*entry = leader->entry;
	return kg_member_drop(tgid);
}

static __always_inline int kg_exited(const struct kg_out *out, struct task_struct *task)
{
	u32 tid = BPF_CORE_READ(task, pid);
	struct kg_member *m = kg_member_of(tid), copy;
	struct kg_session *s;
	bool entry = false;

	if (!m)
		return 0;
	copy = *m;
	s = kg_session_of(&copy);
	if (s) {
		kg_infer_join(out, m, task);
		kg_charge_cpu(s, &copy, task);
		kg_ends_in_call(out, s, m, task);
		if (kg_set.armed & KG_ARMED)
			kg_send_stretch(out, s, &copy, tid, bpf_ktime_get_ns(), KG_STRETCH_LAST,
					KG_NR_NONE);
	}
	if (!s || tid != (u32)BPF_CORE_READ(task, tgid))
		kg_member_drop(tid);
	if (!kg_last_of_process(task, &entry) || !s)
		return 0;
	__sync_fetch_and_add(&s->exits, 1);
	/* However many have ended before: the entrypoint's end is the container's. */
	if (copy.actor == KG_ACTOR_OWN || entry || s->exits <= KG_WORKLOAD_EVENTS)
		kg_send_value(out, KG_EXIT, task, &copy, BPF_CORE_READ(task, exit_code), s->cpu_ns);
	return 0;
}

/* kernel/exit.c do_exit(), once for every thread. */
KG_TRACEPOINT("sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	return kg_exited(KG_OUT(EXIT), task);
}

#if defined(KG_RAW)
SEC("tracepoint/sched/sched_process_exit")
int process_exit_record(struct trace_event_raw_sched_process_exec *ctx)
{
	return kg_exited(KG_OUT(EXIT), (struct task_struct *)bpf_get_current_task());
}
#endif

#endif
