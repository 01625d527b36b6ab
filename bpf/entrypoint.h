/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The last steps before a program's main, and what a runtime looks for in vain. */
#ifndef KG_ENTRYPOINT_H
#define KG_ENTRYPOINT_H

#include "out.h"
#include "syscall.h"

static __always_inline bool kg_linker_calls(long nr)
{
	switch (nr) {
#define KG_CASE(n) case n:
		KG_LINKER_CALLS(KG_CASE)
#undef KG_CASE
	case KG_NR_OPEN:
	case KG_NR_OPENAT:
	case KG_NR_FSTATAT:
	case KG_NR_STATX:
		return true;
	}
#if defined(__TARGET_ARCH_x86)
	return nr == KG_NR_STAT || nr == KG_NR_LSTAT || nr == KG_NR_ACCESS || nr == KG_NR_FACCESSAT;
#else
	return nr == KG_NR_FACCESSAT;
#endif
}

/* The entrypoint's first system call that no dynamic linker makes: main runs at the latest. */
static __always_inline void kg_watch_linking(const struct kg_out *out, struct kg_member *m, long nr)
{
	if (!m->linking || kg_linker_calls(nr))
		return;
	m->linking = 0;
	kg_tell_value(out, m, KG_LINKED, m->opened);
}

#define KG_NAME_LEN 128

/* Shared objects and the linker's cache have ".so" in their names. Verified once: not static. */
__noinline int kg_shared_object(u64 user)
{
	char name[KG_NAME_LEN] = {};
	int i;

	if (bpf_probe_read_user_str(name, sizeof(name), (const char *)user) < 0)
		return 0;
	for (i = 0; i < KG_NAME_LEN - 3; i++) {
		if (!name[i])
			break;
		if (name[i] == '.' && name[i + 1] == 's' && name[i + 2] == 'o')
			return 1;
	}
	return 0;
}

static __always_inline void kg_opened(struct kg_member *m, struct pt_regs *regs, long nr)
{
	u64 name = nr == KG_NR_OPEN ? KG_SYSCALL_ARG1(regs) : KG_SYSCALL_ARG2(regs);

	if (kg_shared_object(name))
		m->opened++;
}

/*
 * The file that could not be executed is the first argument of execve, the second
 * of execveat. With an errno of its interpreter's (ENOENT, ENOEXEC) the file
 * itself is there.
 */
static __always_inline void kg_exec_failed(const struct kg_out *out, struct kg_session *s,
					   const struct kg_member *m, struct pt_regs *regs, long nr,
					   long error)
{
	u64 name = nr == KG_NR_EXECVE ? KG_SYSCALL_ARG1(regs) : KG_SYSCALL_ARG2(regs);
	struct kg_file_event *e;

	if (!kg_tells(s, KG_EXEC_FAILED))
		return;
	e = kg_reserve(out, sizeof(*e));
	if (!e)
		return;
	kg_fill(&e->h, KG_EXEC_FAILED, (struct task_struct *)bpf_get_current_task(), m->session,
		m->actor);
	e->value = error;
	e->filename[0] = 0;
	bpf_probe_read_user_str(e->filename, sizeof(e->filename), (const char *)name);
	kg_submit(out, e, sizeof(*e), BPF_RB_NO_WAKEUP);
}

static __always_inline bool kg_looks_up(long nr)
{
	return nr == KG_NR_FSTATAT || nr == KG_NR_STATX || nr == KG_NR_FACCESSAT ||
	       nr == KG_NR_FACCESSAT2 || nr == KG_NR_STAT || nr == KG_NR_ACCESS;
}

/*
 * A runtime looks for the entrypoint before it executes it, once it has changed
 * its root. What it does not find it never hands to execve.
 */
static __always_inline void kg_lookup_failed(const struct kg_out *out, struct kg_session *s,
					     const struct kg_member *m, struct pt_regs *regs,
					     long nr, long error)
{
	u64 name = nr == KG_NR_STAT || nr == KG_NR_ACCESS ? KG_SYSCALL_ARG1(regs)
							  : KG_SYSCALL_ARG2(regs);
	struct kg_file_event *e;

	if (!kg_tells(s, KG_LOOKUP_FAILED))
		return;
	e = kg_reserve(out, sizeof(*e));
	if (!e)
		return;
	kg_fill(&e->h, KG_LOOKUP_FAILED, (struct task_struct *)bpf_get_current_task(), m->session,
		m->actor);
	e->value = error;
	e->filename[0] = 0;
	bpf_probe_read_user_str(e->filename, sizeof(e->filename), (const char *)name);
	kg_submit(out, e, sizeof(*e), BPF_RB_NO_WAKEUP);
}

#endif
