/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who ran on a CPU while a thread waited for it. */
#ifndef KG_TURNS_H
#define KG_TURNS_H

#include "burst.h"

/* The current turn ends. Turns of one group that follow each other are one. */
static __always_inline void kg_turn_ends(struct kg_cpu *cpu, u64 group, u64 now)
{
	struct kg_turn *last = &cpu->turns[cpu->turn % KG_TURNS], *next;

	if (last->group == group) {
		last->to = now;
		return;
	}
	cpu->turn++;
	next = &cpu->turns[cpu->turn % KG_TURNS];
	next->group = group;
	next->from = last->to;
	next->to = now;
}

/* How long the group ran between from and to, as far as the CPU remembers. */
static __always_inline u64 kg_ran(const struct kg_cpu *cpu, u64 group, u64 from)
{
	u64 sum = 0, begin;
	int i;

	for (i = 0; i < KG_TURNS; i++) {
		if (cpu->turns[i].group != group || cpu->turns[i].to <= from)
			continue;
		begin = cpu->turns[i].from > from ? cpu->turns[i].from : from;
		sum += cpu->turns[i].to - begin;
	}
	return sum;
}

/*
 * The thread comes to this CPU, for which it has waited since from: charges the
 * group that ran here the longest meanwhile. Of a burst with several waits the group
 * stays that had the most in one of them, with what it had in all. A CPU remembers
 * KG_TURNS turns: of a longer wait the last ones count, and the time is a lower
 * bound. A thread that was moved to another CPU is judged by the last one.
 */
static __always_inline void kg_charge_turns(struct kg_thread *t, const struct kg_cpu *cpu, u64 from)
{
	const struct kg_turn *last = &cpu->turns[cpu->turn % KG_TURNS];
	u64 most = 0, ran, group = 0;
	int i;

	if (last->from <= from && last->to > from) { /* nobody else did */
		group = last->group;
		most = group ? last->to - from : 0;
	}
	for (i = 0; last->from > from && i < KG_TURNS; i++) {
		if (!cpu->turns[i].group || cpu->turns[i].group == group ||
		    cpu->turns[i].to <= from)
			continue;
		ran = kg_ran(cpu, cpu->turns[i].group, from);
		if (ran <= most)
			continue;
		most = ran;
		group = cpu->turns[i].group;
	}
	if (!most)
		return;
	if (t->preemptor == group) {
		t->burst.preemptor_time += most;
	} else if (most > t->burst.preemptor_time) {
		t->preemptor = group;
		t->burst.preemptor = kg_group_id((struct task_group *)group);
		t->burst.preemptor_time = most;
	}
}

#endif
