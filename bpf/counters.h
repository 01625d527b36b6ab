/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The CPU bandwidth counters of cgroups, of many in one run. */
#ifndef KG_COUNTERS_H
#define KG_COUNTERS_H

#include "cgroup.h"
#include "usage.h"

/* User space writes addresses into it, runs read_counters and reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KG_BATCH);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct kg_counters);
} counters SEC(".maps");

/* Since 5.6. */
enum bpf_func_id___jiffies {
	BPF_FUNC_jiffies64___jiffies = 118,
};

/*
 * Fields that lie near each other are read together: each call of a helper costs more
 * than the bytes that are not wanted. Where the kernel has them is known when the
 * programs are loaded, and so is whether a field lies within; if not, it is read by itself.
 */
#define KG_FROM(bytes, group, first, member)                                                       \
	({                                                                                         \
		u64 past = bpf_core_field_offset((group)->member) -                                \
			   bpf_core_field_offset((group)->first);                                  \
		/* Else it would be taken from the address, which the verifier does not allow. */  \
		barrier_var(past);                                                                 \
		past <= sizeof(bytes) - sizeof((group)->member)                                    \
			? *(typeof((group)->member) *)((u8 *)(bytes) + past)                       \
			: BPF_CORE_READ(group, member);                                            \
	})

/* From a limit's period to its counters. */
#define KG_BANDWIDTH_WORDS 29

/* False where nothing can be read: absent is better than zeros. */
static __always_inline bool kg_read_bandwidth(struct kg_counters *c, struct task_group *group)
{
	u64 near[KG_BANDWIDTH_WORDS];

#define KG_BANDWIDTH(member) KG_FROM(near, group, cfs_bandwidth.period, cfs_bandwidth.member)
	if (bpf_core_read(near, sizeof(near), &group->cfs_bandwidth.period))
		return false;
	c->time_ns = bpf_ktime_get_ns(); /* user space may be descheduled before and after */
	c->quota_ns = KG_BANDWIDTH(quota);
	c->period_ns = KG_BANDWIDTH(period);
	c->periods = KG_BANDWIDTH(nr_periods);
	c->throttled = KG_BANDWIDTH(nr_throttled);
	c->throttled_ns = KG_BANDWIDTH(throttled_time);
	c->expires_ns = KG_BANDWIDTH(period_timer.node.expires);
	c->burst_ns = 0;
	if (bpf_core_field_exists(group->cfs_bandwidth.burst))
		c->burst_ns = KG_BANDWIDTH(burst);
#undef KG_BANDWIDTH
	if (bpf_core_enum_value_exists(enum bpf_func_id___jiffies, BPF_FUNC_jiffies64___jiffies))
		c->jiffies = bpf_jiffies64();
	return true;
}

/*
 * Reads one. A global function: the verifier looks at it once, by itself, and not
 * again for each cgroup and, of each, for each CPU.
 */
__noinline int kg_read_counters(u32 at)
{
	u32 cpu = bpf_core_enum_value(enum cgroup_subsys_id, cpu_cgrp_id);
	struct cgroup_subsys_state *css = NULL;
	struct task_group *group;
	struct kg_counters *c;
	struct cgroup *cgrp;

	c = bpf_map_lookup_elem(&counters, &at);
	if (!c)
		return 0;
	cgrp = (struct cgroup *)c->pointer;
	c->has_cpu = 0;
	c->id = kg_cgroup_id(cgrp);
	c->removed = kg_cgroup_removed(cgrp);
	bpf_core_read(&css, sizeof(css), &cgrp->subsys[cpu]);
	if (!css)
		return 0;
	group = (struct task_group *)((u64)css - bpf_core_field_offset(struct task_group, css));
	if (!kg_read_bandwidth(c, group))
		return 0;
	c->has_cpu = 1;
	c->shares = BPF_CORE_READ(group, shares);
	c->usage_ns = kg_group_usage(group);
	return 0;
}

/*
 * Never attached: user space runs it as it does read_cgroup, with how many of the
 * cgroups to read and the number of the run. Addresses may be stale, here as there.
 * The counters are those of cpu.stat (kernel/sched/core.c cpu_cfs_stat_show), read
 * without flushing rstat.
 */
SEC("raw_tracepoint/read_counters")
int read_counters(struct bpf_raw_tracepoint_args *ctx)
{
	u64 many = ctx->args[0], run = ctx->args[1];
	struct kg_counters *c;
	u32 i, at;

	for (i = 0; i < KG_BATCH; i++) {
		if (i >= many)
			break;
		at = i;
		kg_read_counters(at);
		c = bpf_map_lookup_elem(&counters, &at);
		if (c)
			c->run = run;
	}
	return 0;
}

#endif
