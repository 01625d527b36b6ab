/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The life of cgroups, and where they are. */
#ifndef KG_CGROUP_H
#define KG_CGROUP_H

#include "out.h"

/* The record that read_cgroup fills; user space reads it after each run. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct kg_cgroup_record);
} cgroup_record SEC(".maps");

static __always_inline bool kg_other_hierarchy(struct cgroup *cgrp)
{
	return (u32)BPF_CORE_READ(cgrp, root, hierarchy_id) != kg_set.hierarchy;
}

static __always_inline int kg_send_cgroup(const struct kg_out *out, u16 kind, struct cgroup *cgrp,
					  const char *path)
{
	struct kg_cgroup_event *e;

	if (kg_other_hierarchy(cgrp))
		return 0;
	e = kg_reserve(out, sizeof(*e));
	if (!e)
		return 0;
	kg_fill(&e->h, kind, (struct task_struct *)bpf_get_current_task(), 0, 0);
	e->h.cgroup = kg_cgroup_id(cgrp);
	e->pointer = (u64)cgrp;
	e->path[0] = 0;
	if (path)
		bpf_probe_read_kernel_str(e->path, sizeof(e->path), path);
	/* A new pod's cgroup is what arms the syscall programs. */
	kg_submit(out, e, sizeof(*e), kg_wakeup());
	return 0;
}

/* 4.15+, kernel/cgroup/cgroup.c cgroup_mkdir(); absent on some managed kernels. */
KG_TRACEPOINT("cgroup_mkdir")
int BPF_PROG(cgroup_mkdir, struct cgroup *cgrp, const char *path)
{
	return kg_send_cgroup(KG_OUT(MKDIR), KG_CGROUP_MKDIR, cgrp, path);
}

/*
 * 4.15+, kernel/cgroup/cgroup.c cgroup_rmdir(). cgroup_release comes too late:
 * page cache that is charged to a removed cgroup keeps it unreleased for hours.
 */
KG_TRACEPOINT("cgroup_rmdir")
int BPF_PROG(cgroup_rmdir, struct cgroup *cgrp, const char *path)
{
	return kg_send_cgroup(KG_OUT(RMDIR), KG_CGROUP_RMDIR, cgrp, NULL);
}

#if defined(KG_RAW)
/* The record has no address: user space finds it by the path. Ids are those of the file system since 5.5. */
static __always_inline int kg_send_record(const struct kg_out *out, u16 kind,
					  struct trace_event_raw_cgroup *record)
{
	struct kg_cgroup_event *e;
	u64 id = record->id;

	if ((u32)record->root != kg_set.hierarchy)
		return 0;
	e = kg_reserve(out, sizeof(*e));
	if (!e)
		return 0;
	kg_fill(&e->h, kind, (struct task_struct *)bpf_get_current_task(), 0, 0);
	e->h.cgroup = id;
	e->pointer = 0;
	e->path[0] = 0;
	if (kind == KG_CGROUP_MKDIR)
		bpf_probe_read_kernel_str(e->path, sizeof(e->path), KG_RECORD_TEXT(record, path));
	kg_submit(out, e, sizeof(*e), kg_wakeup());
	return 0;
}

SEC("tracepoint/cgroup/cgroup_mkdir")
int cgroup_mkdir_record(struct trace_event_raw_cgroup *ctx)
{
	return kg_send_record(KG_OUT(MKDIR), KG_CGROUP_MKDIR, ctx);
}

SEC("tracepoint/cgroup/cgroup_rmdir")
int cgroup_rmdir_record(struct trace_event_raw_cgroup *ctx)
{
	return kg_send_record(KG_OUT(RMDIR), KG_CGROUP_RMDIR, ctx);
}
#endif

/*
 * 4.15+, kernel/cgroup/cgroup.c cgroup_attach_task(). The task argument counts,
 * not current: with the systemd driver systemd attaches. A child that is born
 * into its cgroup (CLONE_INTO_CGROUP) passes by here; see process_fork.
 */
KG_TRACEPOINT("cgroup_attach_task")
int BPF_PROG(cgroup_attach_task, struct cgroup *dst, const char *path, struct task_struct *task)
{
	const struct kg_out *out = KG_OUT(ATTACH);
	u32 tid = BPF_CORE_READ(task, pid);
	struct kg_member *m = kg_member_of(tid);
	struct kg_value_event *e;
	struct kg_session *s;

	if (!m || kg_other_hierarchy(dst))
		return 0;
	s = kg_session_of(m);
	if (!s || !kg_tells(s, KG_CGROUP_JOIN))
		return 0;
	e = kg_reserve(out, sizeof(*e));
	if (!e)
		return 0;
	kg_fill(&e->h, KG_CGROUP_JOIN, task, m->session, m->actor);
	e->h.cgroup = kg_cgroup_id(dst);
	e->value = 0;
	e->cpu_ns = 0;
	kg_submit(out, e, sizeof(*e), BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline struct cgroup *kg_child_cgroup(struct list_head *entry)
{
	u64 sibling = bpf_core_field_offset(struct cgroup_subsys_state, sibling);
	u64 self = bpf_core_field_offset(struct cgroup, self);

	return (struct cgroup *)((u64)entry - sibling - self);
}

#define KG_CSS_ONLINE 2 /* include/linux/cgroup-defs.h */

/* Removed, and perhaps not yet released. */
static __always_inline bool kg_cgroup_removed(struct cgroup *cgrp)
{
	return !(BPF_CORE_READ(cgrp, self.flags) & KG_CSS_ONLINE);
}

/*
 * Never attached: user space runs it (BPF_PROG_TEST_RUN, for raw tracepoints
 * since 5.10) with the address of a cgroup, or 0 for the root of the cpu
 * controller's hierarchy. The address may be stale: reads of freed memory are
 * safe, and user space compares the id.
 */
SEC("raw_tracepoint/read_cgroup")
int read_cgroup(struct bpf_raw_tracepoint_args *ctx)
{
	struct cgroup *cgrp = (struct cgroup *)ctx->args[0];
	struct cgroup_subsys_state *parent;
	struct list_head *head, *next;
	struct kg_cgroup_record *r;
	u32 zero = 0;

	r = bpf_map_lookup_elem(&cgroup_record, &zero);
	if (!r)
		return 0;
	__builtin_memset(r, 0, offsetof(struct kg_cgroup_record, name));
	r->name[0] = 0;
	if (!cgrp) {
		cgrp = kg_task_cgroup((struct task_struct *)bpf_get_current_task());
		cgrp = (struct cgroup *)((u64)BPF_CORE_READ(cgrp, root) +
					 bpf_core_field_offset(struct cgroup_root, cgrp));
	}
	r->pointer = (u64)cgrp;
	r->id = kg_cgroup_id(cgrp);
	r->hierarchy = BPF_CORE_READ(cgrp, root, hierarchy_id);
	r->removed = kg_cgroup_removed(cgrp);
	bpf_probe_read_kernel_str(r->name, sizeof(r->name), BPF_CORE_READ(cgrp, kn, name));

	parent = BPF_CORE_READ(cgrp, self.parent);
	head = (struct list_head *)((u64)cgrp + bpf_core_field_offset(struct cgroup, self) +
				    bpf_core_field_offset(struct cgroup_subsys_state, children));
	next = BPF_CORE_READ(head, next);
	if (next != head)
		r->first_child = (u64)kg_child_cgroup(next);
	if (parent) {
		r->parent = (u64)BPF_CORE_READ(parent, cgroup);
		head = (struct list_head *)((u64)parent +
					    bpf_core_field_offset(struct cgroup_subsys_state,
								  children));
		next = BPF_CORE_READ(cgrp, self.sibling.next);
		if (next != head)
			r->next_sibling = (u64)kg_child_cgroup(next);
	}
	return 0;
}

#endif
