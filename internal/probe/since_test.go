// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/kernel-gossip/kernel-gossip/internal/probe/since"
)

// unless are calls in branches that the loader leaves out where the running kernel's types
// do not have what they are for; by program, "" for all.
var unless = map[string][]string{
	// Where raw tracepoints are preempted (Linux 7), this is the better way.
	"sys_exit_record": {"FnGetCurrentTaskBtf", "FnTaskPtRegs"},
	"sys_exit":        {"FnGetCurrentTaskBtf"}, // asks for the helper's own name
	"process_exec":    {"FnGetCurrentTaskBtf"},
	"process_exit":    {"FnTaskPtRegs"},
	"sched_switch":    {"FnTaskPtRegs"},
	"read_counters": {
		"FnJiffies64",           // asks for the helper's own name
		"FnMapLookupPercpuElem", // entities of 7.2
	},
}

// What stands in for the ring buffer is for Linux 5.4, all else for 5.8. Programs that user
// space runs are not for 5.4, which does not run them.
func TestEachRungIsOfItsKernel(t *testing.T) {
	typed, raw, old := specs(t)
	for _, object := range []struct {
		name     string
		spec     *ebpf.CollectionSpec
		promised since.Release
		run      bool // with the programs that user space runs
	}{
		{"old", old, since.Linux54(), false},
		{"old", old, since.Linux58(), true},
		{"raw", raw, since.Linux58(), true},
		{"typed", typed, since.Linux58(), true},
	} {
		for name, prog := range object.spec.Programs {
			if run := name == "read_cgroup" || name == "read_counters"; run && !object.run {
				continue
			}
			for _, use := range object.promised.Program(prog) {
				if !slices.Contains(unless[name], use.What) {
					t.Errorf("%s: %s is promised for %s and uses %s at %d", object.name, name, object.promised, use.What, use.At)
				}
			}
		}
		for name, m := range object.spec.Maps {
			if !object.run { // objects.open, without test runs
				m = m.Copy()
				if name == "cgroup_record" || name == "counters" {
					m.Flags = 0
				}
			}
			if what := object.promised.Map(m); what != "" {
				t.Errorf("%s: the map %s is promised for %s and has %s", object.name, name, object.promised, what)
			}
		}
	}
	for _, name := range []string{"read_cgroup", "read_counters"} {
		for _, use := range since.Filter(raw.Programs[name]) {
			if !slices.Contains(unless[name], use.What) {
				t.Errorf("%s is run as a filter by Linux 5.8 and uses %s at %d", name, use.What, use.At)
			}
		}
	}
	if newer := since.Linux54().Program(raw.Programs["process_exec"]); len(newer) == 0 {
		t.Error("the ring's helpers are not seen")
	}
}
