/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The parts of kernel types that these programs read. Layout does not matter:
 * every access is relocated against the running kernel's BTF (CO-RE), so a
 * struct lists only the fields that are used. A type that changed between
 * kernels has one flavour per shape, told apart by the suffix after "___".
 */
#ifndef KG_KERNEL_H
#define KG_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_F_MMAPABLE = 1024,
};

#define BPF_F_CURRENT_CPU 0xffffffffULL

/* Needed by the helper declarations, never dereferenced here. */
struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
};

/* include/linux/kernfs.h; 64-bit ids since 5.5. */
struct kernfs_node {
	const char *name;
	u64 id;
};

/* Up to 5.4, where the file system shows the first half as the inode's number. */
union kernfs_node_id {
	struct {
		u32 ino;
		u32 generation;
	};
};

struct kernfs_node___halves {
	union kernfs_node_id id;
};

struct cgroup;

/* include/linux/cgroup-defs.h */
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	unsigned int flags;
	struct list_head sibling;
	struct list_head children;
	struct cgroup_subsys_state *parent;
};

struct cgroup_root;

enum cgroup_subsys_id {
	cpu_cgrp_id = 1, /* relocated: the number depends on the kernel's configuration */
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_subsys_state *subsys[16];
	struct cgroup_root *root;
};

struct cgroup_root {
	int hierarchy_id;
	struct cgroup cgrp;
};

struct css_set {
	struct cgroup_subsys_state *subsys[16];
};

/*
 * include/linux/timerqueue.h, hrtimer.h. On 7.2 the node's type has another name,
 * which relocations do not look at.
 */
struct timerqueue_node {
	s64 expires; /* ktime_t */
};

struct hrtimer {
	struct timerqueue_node node;
};

/* kernel/sched/sched.h */
struct cfs_bandwidth {
	u64 period; /* ktime_t */
	u64 quota;  /* RUNTIME_INF (all ones) without a limit */
	u64 burst;  /* since 5.14 */
	struct hrtimer period_timer;
	int nr_periods;
	int nr_throttled;
	u64 throttled_time;
};

struct rq {
	u64 clock;
	u64 clock_task;
	u64 clock_pelt;
	unsigned long lost_idle_time;
};

struct cfs_rq {
	struct rq *rq;
	int throttle_count;
	u64 throttled_clock_pelt; /* since 5.19 */
	u64 throttled_clock_pelt_time;
	u64 throttled_clock_self; /* since 6.6 */
	u64 throttled_clock_self_time;
};

/* Up to 5.18. */
struct cfs_rq___task {
	u64 throttled_clock_task;
	u64 throttled_clock_task_time;
};

struct sched_entity {
	struct cfs_rq *cfs_rq;
	u64 sum_exec_runtime;
	u64 prev_sum_exec_runtime;
};

struct task_group {
	struct cgroup_subsys_state css;
	struct sched_entity **se;
	unsigned long shares;
	struct list_head list;
	struct task_group *parent;
	struct cfs_bandwidth cfs_bandwidth;
};

/* 7.2, where the pointers to sched_entity are gone; cfs_rq is a per-CPU address. */
struct task_group___percpu {
	struct cgroup_subsys_state css;
	struct cfs_rq *cfs_rq;
};

struct cfs_tg_state {
	struct cfs_rq cfs_rq;
	struct sched_entity se;
};

/* include/linux/bpf.h */
struct bpf_array {
	void *pptrs[0]; /* per-CPU addresses of the elements */
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct file;

struct mm_struct {
	unsigned long start_code;
	struct file *exe_file;
	unsigned long arg_start;
	unsigned long arg_end;
	unsigned long env_start;
	unsigned long env_end;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	unsigned short i_mode;
	struct super_block *i_sb;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

/* arm64 keeps the depth of interrupts here, x86 in a variable of each CPU. */
struct thread_info {
	unsigned long flags;
	u32 status; /* x86 */
	u64 preempt_count;
};

/* include/linux/capability.h: u32[2] before 6.3, u64 since; the same 8 bytes here. */
struct kernel_cap {
	u64 bits;
};

struct user_namespace {
	int level; /* 0: the initial one */
};

struct cred {
	struct kernel_cap cap_effective;
	struct user_namespace *user_ns;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state; /* since 5.14 */
	void *stack;
	unsigned int flags;
	int nr_cpus_allowed;
	struct task_group *sched_task_group;
	bool throttled; /* since 6.18: the thread itself is held by a quota */
	unsigned int in_iowait : 1;
	struct files_struct *files;
	int pid;
	int tgid;
	int exit_code;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct cred *real_cred;
	struct mm_struct *mm;
	struct signal_struct *signal;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	struct sched_entity se;
};

/* Up to 5.13. */
struct task_struct___state {
	long state;
};

struct linux_binprm {
	const char *filename;
};

struct sock_common {
	unsigned short skc_family;
	u16 skc_num;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol; /* a bit field before 5.6 */
};

struct socket {
	struct sock *sk;
};

/* Records of perf tracepoints, include/trace/events. The text of one lies behind it. */
struct trace_event_raw_sched_process_exec {
	u32 __data_loc_filename;
	int old_pid;
};

struct trace_event_raw_sched_switch {
	int prev_pid;
	long prev_state;
	int next_pid;
};

struct trace_event_raw_sched_wakeup_template {
	int pid;
};

struct trace_event_raw_sys_exit {
	long id;
	long ret;
};

struct trace_event_raw_mark_victim {
	int pid;
};

struct trace_event_raw_inet_sock_set_state {
	int newstate;
	u16 sport;
};

struct trace_event_raw_cgroup {
	int root;
	u64 id;
	u32 __data_loc_path;
};

#define KG_RECORD_TEXT(record, name)                                                               \
	((const char *)(record) + ((record)->__data_loc_##name & 0xffff))

/* The registers of a system call, arch/x86 and arch/arm64. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long di;
	unsigned long si;
	unsigned long dx;
	unsigned long r10;
	unsigned long ax;
	unsigned long orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	u64 regs[31];
	u64 orig_x0;
	s32 syscallno;
};
#endif

#pragma clang attribute pop

#endif
