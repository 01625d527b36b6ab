/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How events leave: through a ring buffer that all CPUs share, or (KG_OLD) through
 * the perf buffers of kernels before 5.8, one for each CPU.
 */
#ifndef KG_OUT_H
#define KG_OUT_H

#include "maps.h"

/* Who sends: the perf buffer needs the program's context, and room of its own. */
struct kg_out {
	void *ctx;
	u32 program;
};

enum kg_program {
	KG_BY_MKDIR,
	KG_BY_RMDIR,
	KG_BY_ATTACH,
	KG_BY_EXEC,
	KG_BY_FORK,
	KG_BY_EXIT,
	KG_BY_VICTIM,
	KG_BY_RETURN,
	KG_BY_SOCKET,
	KG_BY_SWITCH,
	KG_PROGRAMS,
};

/* Of the program that it stands in. */
#define KG_OUT(by) (&(const struct kg_out){.ctx = ctx, .program = KG_BY_##by})

#if defined(KG_OLD)

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
} events SEC(".maps");

union kg_room {
	struct kg_cgroup_event cgroup;
	struct kg_path_event path;
	struct kg_file_event file;
	struct kg_stretch_event stretch;
	struct kg_value_event value;
};

/*
 * Where an event is put together; too large for the stack. One for each program: another
 * may run on this CPU meanwhile, by an interrupt or (since 7.x) in another thread, but
 * never the same one.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KG_PROGRAMS);
	__type(key, u32);
	__type(value, union kg_room);
} rooms SEC(".maps");

static __always_inline void *kg_reserve(const struct kg_out *out, u64 size)
{
	u32 program = out->program;

	return bpf_map_lookup_elem(&rooms, &program);
}

static __always_inline void kg_send(const struct kg_out *out, void *event, u64 size, u64 wakeup)
{
	if (bpf_perf_event_output(out->ctx, &events, BPF_F_CURRENT_CPU, event, size))
		kg_count_lost(KG_LOST_EVENTS);
}

static __always_inline void kg_submit(const struct kg_out *out, void *event, u64 size, u64 wakeup)
{
	kg_send(out, event, size, wakeup);
}

#else

/*
 * All events, in one ring, so that user space sees them in about the order in
 * which they happened.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024);
} events SEC(".maps");

/* Room for an event; NULL if there is none, which is counted. */
static __always_inline void *kg_reserve(const struct kg_out *out, u64 size)
{
	void *event = bpf_ringbuf_reserve(&events, size, 0);

	if (!event)
		kg_count_lost(KG_LOST_EVENTS);
	return event;
}

/* Sends what kg_reserve made room for. */
static __always_inline void kg_submit(const struct kg_out *out, void *event, u64 size, u64 wakeup)
{
	bpf_ringbuf_submit(event, wakeup);
}

/* Sends what lies elsewhere. */
static __always_inline void kg_send(const struct kg_out *out, void *event, u64 size, u64 wakeup)
{
	if (bpf_ringbuf_output(&events, event, size, wakeup))
		kg_count_lost(KG_LOST_EVENTS);
}

#endif

/*
 * Whoever may have to be listened to is told at once; while the programs are
 * attached anyway, the reader's next look is early enough, and a birth is spared
 * some forty wakeups of another thread. (The perf buffer wakes its reader always.)
 */
static __always_inline u64 kg_wakeup(void)
{
	return kg_set.armed & KG_ARMED ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP;
}

/* Of a task that is known to be in that cgroup. */
static __always_inline void kg_fill_in(struct kg_header *h, u16 kind, struct task_struct *task,
				       u64 session, u32 actor, u64 cgroup)
{
	h->time_ns = bpf_ktime_get_ns();
	h->session = session;
	h->cgroup = cgroup;
	h->pid = BPF_CORE_READ(task, tgid);
	h->tid = BPF_CORE_READ(task, pid);
	h->kind = kind;
	h->actor = actor;
	h->mnt_ns = kg_mnt_ns(task);
}

static __always_inline void kg_fill(struct kg_header *h, u16 kind, struct task_struct *task,
				    u64 session, u32 actor)
{
	kg_fill_in(h, kind, task, session, actor, kg_cgroup_id(kg_task_cgroup(task)));
}

static __always_inline void kg_send_value(const struct kg_out *out, u16 kind,
					  struct task_struct *task, const struct kg_member *m,
					  s64 value, u64 cpu_ns)
{
	struct kg_value_event *e = kg_reserve(out, sizeof(*e));

	if (!e)
		return;
	kg_fill(&e->h, kind, task, m->session, m->actor);
	e->value = value;
	e->cpu_ns = cpu_ns;
	kg_submit(out, e, sizeof(*e), BPF_RB_NO_WAKEUP);
}

/*
 * The same of the current task. By itself, so that its callers are short and need not keep
 * on the stack meanwhile what they hold.
 */
static __noinline int kg_tell_value(const struct kg_out *out, const struct kg_member *m, u16 kind,
				    s64 value)
{
	kg_send_value(out, kind, (struct task_struct *)bpf_get_current_task(), m, value, 0);
	return 0;
}

#endif
