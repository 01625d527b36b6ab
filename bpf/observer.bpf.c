// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* All programs of the observer, one object: they share their maps. */
#include "kernel.h"
#include "maps.h"
#include "cgroup.h"
#include "counters.h"
#include "process.h"
#include "births.h"
#include "listen.h"
#include "sched.h"
#include "memory.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Events travel as bytes; these keep their layouts in the object's type information. */
const struct kg_cgroup_event *kg_layout_cgroup_event __attribute__((unused));
const struct kg_file_event *kg_layout_file_event __attribute__((unused));
const struct kg_path_event *kg_layout_path_event __attribute__((unused));
const struct kg_stretch_event *kg_layout_stretch_event __attribute__((unused));
const struct kg_open_event *kg_layout_open_event __attribute__((unused));
const struct kg_value_event *kg_layout_value_event __attribute__((unused));
