/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The system call that a thread is in, by the registers with which it entered the kernel. */
#ifndef KG_SLEPT_H
#define KG_SLEPT_H

#include "burst.h"
#include "syscall.h"

/* Stacks of the kernel before 5.15, without KASAN. */
#define KG_STACK_SIZE 16384

enum bpf_func_id___kg {
	BPF_FUNC_task_pt_regs___kg = 175,
};

/* -1: it is in none, or came by a fault; what the entry code leaves says so itself. */
static __always_inline s32 kg_syscall_of(struct task_struct *task)
{
	struct pt_regs *regs;

	if (KG_IS_COMPAT(task))
		return KG_NR_COMPAT;
	/* Decided when the programs are loaded; the other branch is not loaded. */
	if (bpf_core_enum_value_exists(enum bpf_func_id___kg, BPF_FUNC_task_pt_regs___kg))
		regs = (struct pt_regs *)bpf_task_pt_regs(task);
	else
		regs = (struct pt_regs *)(BPF_CORE_READ(task, stack) + KG_STACK_SIZE -
					  bpf_core_type_size(struct pt_regs));
	return KG_SYSCALL_NR(regs);
}

#endif
