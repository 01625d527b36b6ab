/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the programs share with each other and with internal/probe: event
 * layouts, map values, limits. Go's types of the layouts are generated;
 * internal/probe/layout_test.go holds the numbers and limits against Go's.
 */
#ifndef KG_GOSSIP_H
#define KG_GOSSIP_H

#define KG_BASENAME_LEN 32
#define KG_PATH_LEN 512
#define KG_FILENAME_LEN 128
#define KG_ARGS_LEN 1024
#define KG_NETNS_LEN 128
#define KG_CNI_ID_LEN 96
#define KG_CNI_ARGS_LEN 768
#define KG_SYSCALLS 512
#define KG_SESSIONS 2048
/* Execs and exits of a workload that are told one by one; all are counted. */
#define KG_WORKLOAD_EVENTS 64
/* Deeds of one session that are told one by one, of each kind; all are counted. */
#define KG_DEEDS 32
/* Times that a thread leaves its CPU that are told: of a session's own threads, of its workload's. */
#define KG_STRETCHES_OWN 16384
#define KG_STRETCHES_WORKLOAD 4096
/* A shim goes on after its start, which is all that is asked of it. */
#define KG_STRETCHES_SHIM 1024

enum kg_kind {
	KG_CGROUP_MKDIR = 1,
	KG_CGROUP_RMDIR,
	KG_CGROUP_JOIN,
	KG_SESSION_OPEN,
	KG_EXEC,
	KG_EXIT,
	KG_NAMESPACES,
	KG_NETNS_BIND,
	KG_PIVOT_ROOT,
	KG_LISTEN,
	KG_ACCEPT,
	KG_EXEC_FAILED,
	KG_MOUNT,
	KG_SETNS,
	KG_SECCOMP,
	KG_LINKED,
	KG_LOOKUP_FAILED,
	KG_OOM,
	KG_STRETCH,
	KG_CGROUP_WRITE,
	KG_NETDEV,
	KG_NETFILTER,
	KG_KINDS,
};

enum kg_role {
	KG_ROLE_SHIM = 1,
	KG_ROLE_RUNTIME,
	KG_ROLE_MONITOR,
	KG_ROLE_CNI,
};

/* On whose behalf a member of a session works. */
enum kg_actor {
	KG_ACTOR_OWN = 0,      /* the session's own role */
	KG_ACTOR_WORKLOAD = 1, /* past the exec of a container's entrypoint */
};

enum kg_lost {
	KG_LOST_EVENTS = 0,   /* ring buffer full */
	KG_LOST_SESSIONS = 1, /* session table full */
	KG_LOST_MEMBERS = 2,  /* member table full */
	KG_LOST_MAX,
};

/* What is attached that is heard only during births, in kg_settings.armed. */
enum kg_armed {
	KG_ARMED = 1, /* all of it */
	KG_CALLS = 2, /* the end of system calls, among or before it */
};

struct kg_header {
	u64 time_ns; /* CLOCK_MONOTONIC */
	u64 session; /* 0: not of a session */
	u64 cgroup;  /* of the task concerned, in the hierarchy of the cpu controller */
	u32 pid;
	u32 tid;
	u16 kind;
	u16 actor;
	u32 mnt_ns;
};

struct kg_cgroup_event {
	struct kg_header h;
	u64 pointer; /* struct cgroup, as a key for read_cgroup */
	char path[KG_PATH_LEN];
};

struct kg_open_event {
	struct kg_header h;
	u64 parent; /* session of the process that became this one */
	u32 role;
	u32 args_len;
	char filename[KG_FILENAME_LEN];
	char args[KG_ARGS_LEN]; /* argv, separated by zeros; for CNI plugins: CNI_ARGS */
	char cni_command[16];
	char cni_id[KG_CNI_ID_LEN];
	char cni_netns[KG_NETNS_LEN];
};

struct kg_file_event {
	struct kg_header h;
	s64 value; /* errno, of a failure */
	char filename[KG_FILENAME_LEN];
};

/* A mount target is longer than a file name: the container's id is near its end. */
struct kg_path_event {
	struct kg_header h;
	char path[KG_PATH_LEN];
};

/* What a thread was seen in when it left its CPU. */
enum kg_stretch_state {
	KG_STRETCH_RUNNABLE = 1, /* preempted, or made just now: it could have gone on */
	KG_STRETCH_IOWAIT = 2,
	KG_STRETCH_UNINTERRUPTIBLE = 4,
	KG_STRETCH_LAST = 8, /* the thread ends: there is no return */
};

/*
 * A thread leaves its CPU: header.time_ns. Told then and not when it is back, as
 * many never are; when it was woken and back the time before, it tells along.
 */
struct kg_stretch_event {
	struct kg_header h;
	u64 woken_ns; /* 0: nobody was heard to wake it */
	u64 on_ns;    /* 0: it has been on a CPU since it became a member */
	s32 nr;	      /* system call that it is in, -1: none */
	u32 state;
};

struct kg_value_event {
	struct kg_header h;
	s64 value;  /* exit code, namespace flags, errno or port */
	u64 cpu_ns; /* of an exit: CPU time of the session's threads that have exited */
};

/* A thread of a session. */
struct kg_member {
	u64 session;
	u64 runtime_at_join_ns; /* se.sum_exec_runtime when its actor began to be charged */
	u32 actor;
	u32 slot;   /* of what is counted for its session and actor */
	u32 mnt_ns; /* of the session's first process */
	u32 ended;  /* of a process' first thread: it has, and others may live on */
	u16 role;   /* of the session */
	u8 linking; /* 1 from the exec of an entrypoint until its main has begun */
	u8 entry;   /* 1: it executed the entrypoint, and has not merely come of it */
	u16 opened; /* shared objects while linking */
	u8 counted; /* 1: the system call that is under way */
	u8 pad;
	u32 seeming; /* 1 + the last system call, if its end looks as if it went on; else 0 */
	u32 cgroup;  /* where it is inferred who joins one: the id that was last seen, in part */
	u64 off_ns;  /* when it left its CPU, 0: it is on one */
	u64 woken_ns;
	u64 on_ns; /* when it came back */
};

struct kg_session_key {
	u64 session;
	u32 actor;
	u32 pad;
};

/* What is counted for a session and an actor. */
struct kg_session {
	u64 session; /* whose it is, 0: nobody's */
	u64 syscalls[KG_SYSCALLS];
	u64 processes;
	u64 threads;
	u64 execs;
	u64 exits;
	u64 cpu_ns; /* of threads that have exited */
	u64 mounts;
	u64 first_mount_ns;
	u64 last_mount_ns;
	u64 accepts;
	u64 listens;
	u64 cgroup_writes;
	u64 netdevs;
	u64 netfilter_rules;
	u64 stretches;
	u64 deeds[KG_KINDS]; /* by kind, of those that kg_tells counts */
	u64 untold;	     /* of those: events that were not told, being beyond KG_DEEDS */
};

/* A cgroup and its neighbors in the kernel's lists. */
struct kg_cgroup_record {
	u64 pointer;
	u64 id;
	u64 parent;
	u64 first_child;
	u64 next_sibling;
	u32 hierarchy;
	u32 removed; /* and not yet released: still in the kernel's lists */
	char name[256];
};

/* Cgroups whose counters one run reads at most. */
#define KG_BATCH 64

/* The counters of one cgroup. What was not run over keeps an earlier run's number. */
struct kg_counters {
	u64 pointer; /* struct cgroup, set by user space */
	u64 run;     /* number of the run that filled it, as user space gave it */
	u64 id;
	u64 time_ns;  /* CLOCK_MONOTONIC, when the counters were read */
	u64 quota_ns; /* all ones: no limit */
	u64 period_ns;
	u64 throttled_ns;
	u64 usage_ns;
	u64 burst_ns;
	u64 expires_ns;
	u64 shares; /* as the kernel has it: scaled by 1024 */
	u64 jiffies;
	u32 periods;
	u32 throttled;
	u32 has_cpu;
	u32 removed;
};

#endif
