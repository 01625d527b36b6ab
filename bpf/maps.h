/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Maps and the few helpers that every concern needs. */
#ifndef KG_MAPS_H
#define KG_MAPS_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "gossip.h"

/*
 * Each tracepoint has one way in each object: typed, or (KG_RAW) raw, where nothing is
 * known of the arguments' types and their fields are read by a helper; or (KG_OLD) raw,
 * with the perf buffer and helpers of Linux 5.4.
 */
#if defined(KG_OLD)
#define KG_RAW
#endif
#if defined(KG_RAW)
#define KG_TRACEPOINT(name) SEC("raw_tp/" name)
#define KG_FIELD(argument, field) BPF_CORE_READ(argument, field)
#define KG_BIT(argument, field) BPF_CORE_READ_BITFIELD_PROBED(argument, field)
#else
#define KG_TRACEPOINT(name) SEC("tp_btf/" name)
#define KG_FIELD(argument, field) ((argument)->field)
#define KG_BIT(argument, field) BPF_CORE_READ_BITFIELD(argument, field)
#endif

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KG_LOST_MAX);
	__type(key, u32);
	__type(value, u64);
} lost SEC(".maps");

/* Base names of the programs whose exec opens a session, filled by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, char[KG_BASENAME_LEN]);
	__type(value, u32);
} roles SEC(".maps");

/*
 * Thread id (of the initial PID namespace) → its session. A plain hash and not
 * task storage, which tracing programs have only since 5.11.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u32);
	__type(value, struct kg_member);
} members SEC(".maps");

/*
 * How many members have a thread id with these low bits: most threads of a node
 * are no members, and one load tells so where a lookup would cost more than the
 * rest of the program.
 */
#define KG_HINTS 16384
u32 kg_hints[KG_HINTS];

/*
 * Where a session is counted: the slot of its own role, and that of its workload.
 * User space ends a session by deleting both and taking the slots back.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KG_SESSIONS);
	__type(key, struct kg_session_key);
	__type(value, u32);
} sessions SEC(".maps");

/*
 * The counts. A member knows its slot, as each of its system calls is counted, and a lookup
 * by the session's id would cost more than all else. A slot that has gone to another
 * session is not its own any more: it forgets its session at its next event.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KG_SESSIONS);
	__type(key, u32);
	__type(value, struct kg_session);
} slots SEC(".maps");

/* Slots that are nobody's; user space fills it. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, KG_SESSIONS);
	__type(value, u32);
} free_slots SEC(".maps");

/* A zeroed session: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kg_session);
} blank_session SEC(".maps");

/* What user space sets. A map of its own: kernels before 5.5 let it be written as a whole only. */
struct kg_settings {
	u32 hierarchy; /* hierarchy_id of the cpu controller's; 0 is the default one (v2) */
	u32 armed;     /* enum kg_armed */
	u32 cpus;      /* possible CPUs */
} kg_set SEC(".data.settings");

/* 1 where nobody tells that a member has joined a cgroup: its next event is looked at. */
const volatile u32 kg_infers;

static __always_inline bool kg_counts_calls(void)
{
	return kg_set.armed & KG_CALLS;
}

static __always_inline bool kg_starts_with(const char *s, const char *prefix, int len)
{
	int i;

	for (i = 0; i < len; i++)
		if (s[i] != prefix[i])
			return false;
	return true;
}

#define KG_IS(s, prefix) kg_starts_with(s, prefix, sizeof(prefix) - 1)

static __always_inline void kg_count_lost(u32 what)
{
	u64 *n = bpf_map_lookup_elem(&lost, &what);

	if (n)
		(*n)++;
}

static __always_inline struct kg_member *kg_member_of(u32 tid)
{
	if (!kg_hints[tid % KG_HINTS])
		return NULL;
	return bpf_map_lookup_elem(&members, &tid);
}

/* False if the table is full. */
static __always_inline bool kg_member_put(u32 tid, const struct kg_member *m)
{
	if (!bpf_map_update_elem(&members, &tid, m, BPF_NOEXIST)) {
		__sync_fetch_and_add(&kg_hints[tid % KG_HINTS], 1);
		return true;
	}
	if (!bpf_map_update_elem(&members, &tid, m, BPF_EXIST))
		return true;
	kg_count_lost(KG_LOST_MEMBERS);
	return false;
}

/* True for the one that removed it. */
static __always_inline bool kg_member_drop(u32 tid)
{
	if (bpf_map_delete_elem(&members, &tid))
		return false;
	__sync_fetch_and_add(&kg_hints[tid % KG_HINTS], -1);
	return true;
}

static __always_inline struct cgroup *kg_task_cgroup(struct task_struct *task)
{
	u32 cpu = bpf_core_enum_value(enum cgroup_subsys_id, cpu_cgrp_id);
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state *css = NULL;

	bpf_core_read(&css, sizeof(css), &set->subsys[cpu]);
	return BPF_CORE_READ(css, cgroup);
}

static __always_inline u64 kg_cgroup_id(struct cgroup *cgrp)
{
	struct kernfs_node *node = BPF_CORE_READ(cgrp, kn);

	/* Decided when the programs are loaded; the other branch is not loaded. */
	if (bpf_core_field_exists(node->id))
		return BPF_CORE_READ(node, id);
	return BPF_CORE_READ((struct kernfs_node___halves *)node, id.ino);
}

static __always_inline u32 kg_mnt_ns(struct task_struct *task)
{
	return BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
}

static __always_inline struct kg_session *kg_session_of(const struct kg_member *m)
{
	u32 slot = m->slot;
	struct kg_session *s = bpf_map_lookup_elem(&slots, &slot);

	return s && s->session == m->session ? s : NULL;
}

/* Empties a slot and gives it to a session. */
static __always_inline struct kg_session *kg_slot_begin(u64 session, u32 slot)
{
	u32 zero = 0;
	struct kg_session *s = bpf_map_lookup_elem(&blank_session, &zero);

	if (!s || bpf_map_update_elem(&slots, &slot, s, BPF_ANY))
		return NULL;
	s = bpf_map_lookup_elem(&slots, &slot);
	if (s)
		s->session = session;
	return s;
}

/*
 * Takes a slot for a member's session and actor, if they have none. Of several that do so at
 * once one has its way, and the others give theirs back.
 */
static __always_inline struct kg_session *kg_session_make(struct kg_member *m)
{
	struct kg_session_key key = {.session = m->session, .actor = m->actor};
	u32 slot = 0, *others = bpf_map_lookup_elem(&sessions, &key);

	if (others) {
		m->slot = *others;
		return kg_session_of(m);
	}
	if (bpf_map_pop_elem(&free_slots, &slot)) {
		kg_count_lost(KG_LOST_SESSIONS);
		return NULL;
	}
	if (!kg_slot_begin(m->session, slot) ||
	    bpf_map_update_elem(&sessions, &key, &slot, BPF_NOEXIST)) {
		bpf_map_push_elem(&free_slots, &slot, BPF_ANY);
		others = bpf_map_lookup_elem(&sessions, &key);
		if (!others) {
			kg_count_lost(KG_LOST_SESSIONS);
			return NULL;
		}
		slot = *others;
	}
	m->slot = slot;
	return kg_session_of(m);
}

/* Counts a deed of a session, and says whether it is one of the first, which are told one by one. */
static __always_inline bool kg_tells(struct kg_session *s, u32 kind)
{
	__sync_fetch_and_add(&s->deeds[kind], 1);
	if (s->deeds[kind] <= KG_DEEDS)
		return true;
	__sync_fetch_and_add(&s->untold, 1);
	return false;
}

#define KG_CAP_SYS_ADMIN 21 /* include/uapi/linux/capability.h */

/*
 * Whether a task may act for the whole node: CAP_SYS_ADMIN in the initial user
 * namespace, without which no runtime makes a container and no daemon mounts a
 * volume. What else a pod's processes look like is no reason to believe them.
 */
static __always_inline bool kg_administers(struct task_struct *task)
{
	struct cred *cred = BPF_CORE_READ(task, real_cred);
	u64 capabilities = 0;

	bpf_core_read(&capabilities, sizeof(capabilities), &cred->cap_effective);
	return capabilities & 1ULL << KG_CAP_SYS_ADMIN && !BPF_CORE_READ(cred, user_ns, level);
}

/* Undoes kg_session_make, of a session that nobody else has. */
static __always_inline void kg_session_drop(const struct kg_member *m)
{
	struct kg_session_key key = {.session = m->session, .actor = m->actor};
	struct kg_session *s = kg_session_of(m);
	u32 slot = m->slot;

	if (!s || bpf_map_delete_elem(&sessions, &key))
		return;
	s->session = 0;
	bpf_map_push_elem(&free_slots, &slot, BPF_ANY);
}

#endif
