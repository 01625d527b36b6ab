/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* System call numbers and arguments, per architecture. */
#ifndef KG_SYSCALL_H
#define KG_SYSCALL_H

#if defined(__TARGET_ARCH_x86)
/* arch/x86/include/asm/thread_info.h: the system call that is under way is a 32-bit one. */
#define KG_TS_COMPAT 0x0002
#define KG_IS_COMPAT(task) (BPF_CORE_READ(task, thread_info.status) & KG_TS_COMPAT)
/* The same of a task whose fields may be loaded. */
#define KG_IS_COMPAT_OF(task) ((task)->thread_info.status & KG_TS_COMPAT)
/* arch/x86/entry: the result is this error from the entry on, until there is one. */
#define KG_IS_UNFINISHED(task, regs) ((long)BPF_CORE_READ(regs, ax) == -KG_ENOSYS)
#define KG_IS_UNFINISHED_OF(task, regs) ((long)(regs)->ax == -KG_ENOSYS)
/* Whether a call that has ended looks like that. */
#define KG_SEEMS_UNFINISHED(regs, ret) ((ret) == -KG_ENOSYS)
/* fork vfork clone clone3, and the same of 32 bit */
#define KG_IS_FORK(nr) ((nr) == 56 || (nr) == 57 || (nr) == 58 || (nr) == KG_NR_CLONE3)
#define KG_IS_COMPAT_FORK(nr) ((nr) == 2 || (nr) == 120 || (nr) == 190 || (nr) == KG_NR_CLONE3)
#define KG_IS_COMPAT_EXEC(nr) ((nr) == 11 || (nr) == 358)
#define KG_NR_WRITE 1
#define KG_NR_OPEN 2
#define KG_NR_STAT 4
#define KG_NR_LSTAT 6
#define KG_NR_RT_SIGRETURN 15
#define KG_NR_ACCESS 21
#define KG_NR_NANOSLEEP 35
#define KG_NR_ACCEPT 43
#define KG_NR_SENDTO 44
#define KG_NR_SENDMSG 46
#define KG_NR_SETSOCKOPT 54
#define KG_NR_CLONE 56
#define KG_NR_EXECVE 59
#define KG_NR_PIVOT_ROOT 155
#define KG_NR_PRCTL 157
#define KG_NR_MOUNT 165
#define KG_NR_CLOCK_NANOSLEEP 230
#define KG_NR_OPENAT 257
#define KG_NR_FSTATAT 262
#define KG_NR_FACCESSAT 269
#define KG_NR_UNSHARE 272
#define KG_NR_ACCEPT4 288
#define KG_NR_SETNS 308
#define KG_NR_SECCOMP 317
#define KG_NR_EXECVEAT 322
#define KG_NR_STATX 332
#define KG_SYSCALL_NR(regs) BPF_CORE_READ(regs, orig_ax)
/* The same of registers that may be loaded, and of those that a tracepoint hands over. */
#define KG_SYSCALL_NR_OF(regs) ((regs)->orig_ax)
#define KG_SYSCALL_NR_ARGUMENT(regs) KG_FIELD(regs, orig_ax)
#define KG_SYSCALL_ARG1(regs) BPF_CORE_READ(regs, di)
#define KG_SYSCALL_ARG2(regs) BPF_CORE_READ(regs, si)
#define KG_SYSCALL_ARG3(regs) BPF_CORE_READ(regs, dx)
#define KG_SYSCALL_ARG4(regs) BPF_CORE_READ(regs, r10)
/* read close fstat mmap mprotect munmap brk pread64 readlink uname arch_prctl
 * set_tid_address readlinkat set_robust_list prlimit64 getrandom rseq */
#define KG_LINKER_CALLS(X)                                                                         \
	X(0)                                                                                       \
	X(3)                                                                                       \
	X(5)                                                                                       \
	X(9) X(10) X(11) X(12) X(17) X(89) X(63) X(158) X(218) X(267) X(273) X(302) X(318) X(334)
#elif defined(__TARGET_ARCH_arm64)
/* arch/arm64/include/asm/thread_info.h TIF_32BIT: a thread's calls are all of one kind. */
#define KG_TIF_32BIT (1UL << 22)
#define KG_IS_COMPAT(task) (BPF_CORE_READ(task, thread_info.flags) & KG_TIF_32BIT)
#define KG_IS_COMPAT_OF(task) ((task)->thread_info.flags & KG_TIF_32BIT)
/*
 * Result and first argument share a register; of the argument there is a copy (arch/arm64/
 * kernel/syscall.c el0_svc_common). A worker of io_uring has come from nowhere.
 */
#define KG_PF_IO_WORKER 0x00000010 /* include/linux/sched.h */
#define KG_IS_UNFINISHED(task, regs)                                                               \
	(BPF_CORE_READ(regs, regs[0]) == BPF_CORE_READ(regs, orig_x0) &&                           \
	 !(BPF_CORE_READ(task, flags) & KG_PF_IO_WORKER))
#define KG_IS_UNFINISHED_OF(task, regs)                                                            \
	((regs)->regs[0] == (regs)->orig_x0 && !((task)->flags & KG_PF_IO_WORKER))
#define KG_SEEMS_UNFINISHED(regs, ret) ((u64)(ret) == BPF_CORE_READ(regs, orig_x0))
/* A child does not pass by the end of the call that made it (arch/arm64/kernel/entry.S). */
#define KG_IS_FORK(nr) false
#define KG_IS_COMPAT_FORK(nr) false
#define KG_IS_COMPAT_EXEC(nr) ((nr) == 11 || (nr) == 387)
/* Calls that arm64 does not have; no number matches. */
#define KG_NR_OPEN (-2)
#define KG_NR_STAT (-2)
#define KG_NR_LSTAT (-2)
#define KG_NR_ACCESS (-2)
#define KG_NR_FACCESSAT 48
#define KG_NR_OPENAT 56
#define KG_NR_WRITE 64
#define KG_NR_FSTATAT 79
#define KG_NR_RT_SIGRETURN 139
#define KG_NR_PRCTL 167
#define KG_NR_SENDTO 206
#define KG_NR_SETSOCKOPT 208
#define KG_NR_SENDMSG 211
#define KG_NR_SETNS 268
#define KG_NR_SECCOMP 277
#define KG_NR_STATX 291
#define KG_NR_MOUNT 40
#define KG_NR_PIVOT_ROOT 41
#define KG_NR_UNSHARE 97
#define KG_NR_ACCEPT 202
#define KG_NR_CLONE 220
#define KG_NR_EXECVE 221
#define KG_NR_ACCEPT4 242
#define KG_NR_EXECVEAT 281
#define KG_SYSCALL_NR(regs) BPF_CORE_READ(regs, syscallno)
#define KG_SYSCALL_NR_OF(regs) ((regs)->syscallno)
#define KG_SYSCALL_NR_ARGUMENT(regs) KG_FIELD(regs, syscallno)
/* The first register has the result when a call returns. */
#define KG_SYSCALL_ARG1(regs) BPF_CORE_READ(regs, orig_x0)
#define KG_SYSCALL_ARG2(regs) BPF_CORE_READ(regs, regs[1])
#define KG_SYSCALL_ARG3(regs) BPF_CORE_READ(regs, regs[2])
#define KG_SYSCALL_ARG4(regs) BPF_CORE_READ(regs, regs[3])
/* read close fstat mmap mprotect munmap brk pread64 uname set_tid_address
 * readlinkat set_robust_list prlimit64 getrandom rseq */
#define KG_LINKER_CALLS(X)                                                                         \
	X(63)                                                                                      \
	X(57) X(80) X(222) X(226) X(215) X(214) X(67) X(160) X(96) X(78) X(99) X(261) X(278) X(293)
#else
#error "no system call table for this architecture"
#endif

#define KG_ENOSYS 38 /* include/uapi/asm-generic/errno.h */

/* The same number on every architecture (added after the tables were unified). */
#define KG_NR_MOVE_MOUNT 429
#define KG_NR_CLONE3 435
#define KG_NR_FACCESSAT2 439

/*
 * Stands for each 32-bit system call, as its number is that of another one in 64 bit:
 * the last that is counted (KG_SYSCALLS), which no kernel gives to a call of its own.
 */
#define KG_NR_COMPAT 511

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
