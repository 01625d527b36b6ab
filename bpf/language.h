/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a program was written in, as far as it can be seen without its file. */
#ifndef KG_LANGUAGE_H
#define KG_LANGUAGE_H

#include "burst.h"

/* Pages that have not been touched cannot be read: try again, but not for ever. */
#define KG_LANGUAGE_TRIES 16
#define KG_SEGMENTS 12
#define KG_PT_NOTE 4
#define KG_GO_BUILD_ID 4 /* the type of the Go linker's note, cmd/link/internal/ld/elf.go */

/* include/uapi/linux/elf.h, ELF64. */
struct kg_elf {
	u8 ident[32];
	u64 segments; /* e_phoff */
	u8 more[24];
};

struct kg_segment {
	u32 type;
	u32 flags;
	u64 offset;
	u64 address;
	u64 physical;
	u64 size[3];
};

struct kg_note {
	u32 name_len;
	u32 len;
	u32 type;
	u32 name;
};

/*
 * The Go linker's own note in the first executable segment, which begins with the
 * ELF header where Go's linker makes it (not with -linkmode=external or for
 * position-independent programs: those stay unknown).
 */
static __always_inline u32 kg_is_go(struct mm_struct *mm)
{
	u64 start = BPF_CORE_READ(mm, start_code);
	struct kg_segment segment;
	struct kg_note note;
	struct kg_elf elf;
	int i;

	if (bpf_probe_read_user(&elf, sizeof(elf), (void *)start) || elf.ident[0] != 0x7f ||
	    elf.ident[1] != 'E' || elf.ident[2] != 'L' || elf.ident[3] != 'F')
		return 0;
	for (i = 0; i < KG_SEGMENTS; i++) {
		if (bpf_probe_read_user(&segment, sizeof(segment),
					(void *)(start + elf.segments + i * sizeof(segment))))
			return 0;
		if (segment.type != KG_PT_NOTE)
			continue;
		if (!bpf_probe_read_user(&note, sizeof(note), (void *)(start + segment.offset)) &&
		    note.name_len == 4 && note.type == KG_GO_BUILD_ID &&
		    note.name == ('G' | 'o' << 8))
			return 1;
	}
	return 0;
}

/* Of the current task. A Java virtual machine is known by its launcher's name alone. */
static __noinline u32 kg_language_of_current(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	char name[8] = {};

	if (!mm)
		return KG_LANGUAGE_NONE;
	bpf_probe_read_kernel_str(name, sizeof(name),
				  BPF_CORE_READ(mm, exe_file, f_path.dentry, d_name.name));
	if (name[0] == 'j' && name[1] == 'a' && name[2] == 'v' && name[3] == 'a' && !name[4])
		return KG_LANGUAGE_JVM;
	return kg_is_go(mm) ? KG_LANGUAGE_GO : KG_LANGUAGE_NONE;
}

#endif
