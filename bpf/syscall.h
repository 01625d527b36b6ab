/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* System call numbers and arguments, per architecture. */
#ifndef KG_SYSCALL_H
#define KG_SYSCALL_H

#if defined(__TARGET_ARCH_x86)
#define KG_NR_ACCEPT 43
#define KG_NR_CLONE 56
#define KG_NR_EXECVE 59
#define KG_NR_PIVOT_ROOT 155
#define KG_NR_MOUNT 165
#define KG_NR_UNSHARE 272
#define KG_NR_ACCEPT4 288
#define KG_NR_EXECVEAT 322
#define KG_SYSCALL_NR(regs) BPF_CORE_READ(regs, orig_ax)
#define KG_SYSCALL_ARG1(regs) BPF_CORE_READ(regs, di)
#define KG_SYSCALL_ARG2(regs) BPF_CORE_READ(regs, si)
#elif defined(__TARGET_ARCH_arm64)
#define KG_NR_MOUNT 40
#define KG_NR_PIVOT_ROOT 41
#define KG_NR_UNSHARE 97
#define KG_NR_ACCEPT 202
#define KG_NR_CLONE 220
#define KG_NR_EXECVE 221
#define KG_NR_ACCEPT4 242
#define KG_NR_EXECVEAT 281
#define KG_SYSCALL_NR(regs) BPF_CORE_READ(regs, syscallno)
#define KG_SYSCALL_ARG1(regs) BPF_CORE_READ(regs, regs[0])
#define KG_SYSCALL_ARG2(regs) BPF_CORE_READ(regs, regs[1])
#else
#error "no system call table for this architecture"
#endif

/* The same number on every architecture (added after the tables were unified). */
#define KG_NR_MOVE_MOUNT 429
#define KG_NR_CLONE3 435

/* include/uapi/linux/sched.h */
#define KG_CLONE_NEWTIME 0x00000080
#define KG_CLONE_NEWNS 0x00020000
#define KG_CLONE_NEWCGROUP 0x02000000
#define KG_CLONE_NEWUTS 0x04000000
#define KG_CLONE_NEWIPC 0x08000000
#define KG_CLONE_NEWUSER 0x10000000
#define KG_CLONE_NEWPID 0x20000000
#define KG_CLONE_NEWNET 0x40000000
#define KG_CLONE_NAMESPACES                                                                        \
	(KG_CLONE_NEWNS | KG_CLONE_NEWCGROUP | KG_CLONE_NEWUTS | KG_CLONE_NEWIPC |                 \
	 KG_CLONE_NEWUSER | KG_CLONE_NEWPID | KG_CLONE_NEWNET)

#endif
