/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the programs of bursts.bpf.c share with each other and with internal/probe/bursts. */
#ifndef KG_BURST_H
#define KG_BURST_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* Cgroups that are listened to at a time. */
#define KG_LISTENED 2
/* A thread that does not block is told in pieces of about this length. */
#define KG_PIECE_NS 100000000ULL
/* Levels of cgroups that are looked through above a thread's own. */
#define KG_DEPTH 16
#define KG_THREADS 16384
/* Turns on a CPU that are remembered. */
#define KG_TURNS 8

enum kg_waker {
	KG_WAKER_NONE = 0,
	KG_WAKER_INTERRUPT,
	KG_WAKER_OUTSIDE,
	KG_WAKER_OWN,
	KG_WAKER_BORN,
};

enum kg_language {
	KG_LANGUAGE_NONE = 0,
	KG_LANGUAGE_GO,
	KG_LANGUAGE_JVM,
};

enum kg_state {
	KG_BLOCKED = 0,
	KG_WAITING, /* ready to run, and not on a CPU */
	KG_RUNNING,
};

/* One activation of a thread, or a piece of one. Times are CLOCK_MONOTONIC, in ns. */
struct kg_burst {
	u64 cgroup; /* that is listened to */
	u64 woken;
	u64 ended;
	u64 cpu;
	u64 parked;
	u64 queued;
	u64 preemptor; /* a cgroup */
	u64 preemptor_time;
	u64 waker_cgroup;
	u32 tgid;
	u32 tid;
	u32 waker_tid;
	u32 switches;
	u32 cpus; /* that the thread may use */
	s32 slept;
	u8 waker;
	u8 goes_on;
	u8 language;
	u8 pad[5];
};

/* A thread of a listened cgroup. Its burst is told from it; the rest is for the next. */
struct kg_thread {
	struct kg_burst burst;
	u64 runtime;	/* se.sum_exec_runtime up to which burst.cpu goes */
	u64 wait_from;	/* of a thread that waits */
	u64 wait_queue; /* struct cfs_rq that it waits in; 0: nothing parks it there */
	u64 wait_clock; /* that queue's clock of being throttled, at wait_from */
	u64 wake_at;	/* the wake that has not yet brought it to a CPU; 0: none */
	u64 wake_cgroup;
	u64 preemptor; /* struct task_group */
	u32 wake_tid;
	u32 wake_class;
	u32 state;
	u32 held;  /* it waits, and was held by a quota when that began */
	u32 tries; /* to find the language */
	u32 pad;
};

/* A time in which threads of one group ran on a CPU. */
struct kg_turn {
	u64 group; /* struct task_group; 0: idle */
	u64 from;
	u64 to;
};

/* What a CPU remembers. */
struct kg_cpu {
	struct kg_turn turns[KG_TURNS];
	u64 sent_at; /* when the thread sent_by handed a packet to this machine itself */
	u32 sent_by;
	u32 turn; /* the last one */
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024);
} bursts SEC(".maps");

/* Thread id (of the initial PID namespace). Not task storage: tracing programs have it since 5.11. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KG_THREADS);
	__type(key, u32);
	__type(value, struct kg_thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kg_cpu);
} cpus SEC(".maps");

/* Bursts that were not told, of each listened cgroup. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KG_LISTENED);
	__type(key, u32);
	__type(value, u64);
} lost SEC(".maps");

/* The listened cgroups: their struct task_group (0: none), id, and since when. Set by user space. */
volatile u64 kg_groups[KG_LISTENED];
volatile u64 kg_ids[KG_LISTENED];
volatile u64 kg_since[KG_LISTENED];

static __always_inline void kg_lose(u32 slot)
{
	u32 i = slot - 1;
	u64 *n = bpf_map_lookup_elem(&lost, &i);

	if (n)
		(*n)++;
}

/*
 * Which listened cgroup the group lies in: 1 or 2, 0 for none. Plain loads, not
 * BPF_CORE_READ: this is all that a switch of other threads costs.
 */
static __always_inline u32 kg_slot(struct task_group *group)
{
	u64 first = kg_groups[0], second = kg_groups[1];
	int i;

	for (i = 0; i < KG_DEPTH; i++) {
		if (!group)
			break;
		if ((u64)group == first)
			return 1;
		if ((u64)group == second)
			return 2;
		group = group->parent;
	}
	return 0;
}

/* kg_slot for a group at an address that the verifier knows nothing of. */
static __always_inline u32 kg_slot_at(struct task_group *group)
{
	u64 first = kg_groups[0], second = kg_groups[1];
	int i;

	for (i = 0; i < KG_DEPTH; i++) {
		if (!group)
			break;
		if ((u64)group == first)
			return 1;
		if ((u64)group == second)
			return 2;
		group = BPF_CORE_READ(group, parent);
	}
	return 0;
}

/* A group that the kernel made by itself (autogroup) has no cgroup; its parent, the root, has. */
static __always_inline u64 kg_group_id(struct task_group *group)
{
	struct cgroup *cgrp = BPF_CORE_READ(group, css.cgroup);

	if (!cgrp)
		cgrp = BPF_CORE_READ(group, parent, css.cgroup);
	return BPF_CORE_READ(cgrp, kn, id);
}

#endif
