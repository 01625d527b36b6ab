/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* CPU time of a task group: the sum of its scheduling entities, one per CPU. */
#ifndef KG_USAGE_H
#define KG_USAGE_H

#include "maps.h"

#define KG_CPUS_MAX 1024

/*
 * A pointer of the programs as a number. The verifier follows such pointers and
 * allows hardly any arithmetic with them; it does not follow what is read.
 */
static __always_inline u64 kg_number(const void *pointer)
{
	u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &pointer);
	return number;
}

/* The per-CPU address of the first element of "lost". */
static __always_inline u64 kg_percpu_base(void)
{
	u64 array = kg_number(&lost), base = 0;

	bpf_probe_read_kernel(&base, sizeof(base),
			      (void *)(array + bpf_core_field_offset(struct bpf_array, pptrs)));
	return base;
}

/*
 * Where a per-CPU address points to on one CPU. The kernel's table of distances
 * (__per_cpu_offset) is not in BTF, and /proc/kallsyms shows it to root only.
 * All per-CPU memory of a CPU lies at the same distance, so one allocation that
 * is known from both ends measures it: an element of a map of our own.
 */
static __always_inline u64 kg_percpu_address(u64 address, u64 base, u32 cpu)
{
	u32 zero = 0;

	return address - base + kg_number(bpf_map_lookup_percpu_elem(&lost, &zero, cpu));
}

/* Pointers to entities that are read at once. */
#define KG_AT_ONCE 8

/* kernel/sched/sched.h up to 6.x: an array of pointers, with NULLs for the root. */
static __always_inline u64 kg_usage_of_array(struct task_group *group)
{
	struct sched_entity **all = BPF_CORE_READ(group, se);
	struct sched_entity *some[KG_AT_ONCE];
	u64 sum = 0;
	u32 i, j, many;

	for (i = 0; i < KG_CPUS_MAX; i += KG_AT_ONCE) {
		if (i >= kg_set.cpus)
			break;
		/* Not beyond the last: what lies there may not be mapped, and none would be read. */
		many = kg_set.cpus - i;
		if (many > KG_AT_ONCE)
			many = KG_AT_ONCE;
		bpf_probe_read_kernel(some, many * sizeof(some[0]), &all[i]);
		for (j = 0; j < KG_AT_ONCE; j++)
			if (i + j < kg_set.cpus)
				sum += BPF_CORE_READ(some[j], sum_exec_runtime);
	}
	return sum;
}

/* tg_se() of 7.2: one per-CPU allocation; the entity lies behind its cfs_rq. */
static __always_inline u64 kg_usage_of_percpu(struct task_group___percpu *group)
{
	u64 entity = (u64)BPF_CORE_READ(group, cfs_rq) -
		     bpf_core_field_offset(struct cfs_tg_state, cfs_rq) +
		     bpf_core_field_offset(struct cfs_tg_state, se);
	u64 base = kg_percpu_base();
	struct sched_entity *one;
	u64 sum = 0;
	u32 i;

	if (!BPF_CORE_READ(group, css.parent))
		return 0; /* the root's cfs_rq is part of the run queue: no entity behind it */
	for (i = 0; i < KG_CPUS_MAX; i++) {
		if (i >= kg_set.cpus)
			break;
		one = (struct sched_entity *)kg_percpu_address(entity, base, i);
		sum += BPF_CORE_READ(one, sum_exec_runtime);
	}
	return sum;
}

static __always_inline u64 kg_group_usage(struct task_group *group)
{
	/* Decided when the programs are loaded; the other branch is not loaded. */
	if (bpf_core_field_exists(group->se))
		return kg_usage_of_array(group);
	return kg_usage_of_percpu((struct task_group___percpu *)group);
}

#endif
