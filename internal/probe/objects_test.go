// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

func specs(t *testing.T) (typed, raw, old *ebpf.CollectionSpec) {
	t.Helper()
	typed, err := loadObserver()
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = loadObserverRaw(); err != nil {
		t.Fatal(err)
	}
	if old, err = loadObserverOld(); err != nil {
		t.Fatal(err)
	}
	return typed, raw, old
}

// Programs of one object use the maps that were made for another: they must mean
// the same by them.
func TestObjectsShareTheirMaps(t *testing.T) {
	typed, raw, old := specs(t)
	for name, other := range map[string]*ebpf.CollectionSpec{"raw": raw, "old": old} {
		for at, m := range typed.Maps {
			o := other.Maps[at]
			switch {
			case at == "events" && name == "old":
			case o == nil:
				t.Errorf("%s has no map %s", name, at)
			case o.Type != m.Type || o.KeySize != m.KeySize || o.ValueSize != m.ValueSize || o.MaxEntries != m.MaxEntries || o.Flags != m.Flags:
				t.Errorf("%s: the map %s is %v, want %v", name, at, o, m)
			}
		}
		for at, v := range typed.Variables {
			o := other.Variables[at]
			if o == nil || o.SectionName != v.SectionName || o.Offset != v.Offset || o.Size() != v.Size() {
				t.Errorf("%s: the variable %s is %v, want %v", name, at, o, v)
			}
		}
		if len(other.Variables) != len(typed.Variables) {
			t.Errorf("%s has %d variables, want %d", name, len(other.Variables), len(typed.Variables))
		}
	}
	if old.Maps["events"].Type != ebpf.PerfEventArray || typed.Maps["events"].Type != ebpf.RingBuf {
		t.Error("events travel by the wrong buffers")
	}
	for _, at := range []string{constants, settings} {
		if typed.Maps[at] == nil {
			t.Errorf("no map %s", at)
		}
	}
}

// Each rung that is a program has one, in the objects that it is taken from.
func TestEachRungHasItsProgram(t *testing.T) {
	typed, raw, old := specs(t)
	for _, l := range hooks.Ladders() {
		i := slices.IndexFunc(stands, func(s stand) bool { return s.hook == l.Hook })
		for _, r := range l.Rungs {
			if !r.Way.Program() || l.Hook == hooks.Bursts {
				continue
			}
			if i < 0 {
				t.Errorf("nothing stands for %s", l.Hook)
				break
			}
			name, from := stands[i].name, []*ebpf.CollectionSpec{raw, old}
			want := map[hooks.Way]ebpf.ProgramType{hooks.Typed: ebpf.Tracing, hooks.Raw: ebpf.RawTracepoint, hooks.Tracepoint: ebpf.TracePoint}[r.Way]
			switch r.Way {
			case hooks.Typed:
				from = []*ebpf.CollectionSpec{typed}
			case hooks.Tracepoint:
				name += recordSuffix
				if stands[i].group == "" {
					t.Errorf("%s has no group", l.Hook)
				}
				if l.Hook == hooks.SysExit {
					from = from[:1] // only with the ring buffer
				}
			}
			for _, spec := range from {
				if prog := spec.Programs[name]; prog == nil || prog.Type != want {
					t.Errorf("%s/%s: %v", r.Way, l.Hook, prog)
				}
			}
		}
	}
}

// A perf tracepoint's record differs from kernel to kernel: each field that a program reads
// of its own is to be found in the running kernel's types when the program is loaded.
func TestRecordsAreRelocated(t *testing.T) {
	_, raw, old := specs(t)
	reads := map[string]string{
		"cgroup_mkdir_record": "cgroup", "cgroup_rmdir_record": "cgroup", "process_exec_record": "sched_process_exec",
		"sched_switch_record": "sched_switch", "sched_wakeup_record": "sched_wakeup_template",
		"mark_victim_record": "mark_victim", "socket_state_record": "inet_sock_set_state",
		"sys_exit_record":     "sys_exit",
		"process_exit_record": "", // the current task says all
	}
	for _, spec := range []*ebpf.CollectionSpec{raw, old} {
		for name, prog := range spec.Programs {
			record, known := reads[name]
			if known != strings.HasSuffix(name, recordSuffix) {
				t.Errorf("%s: is not known to read a record", name)
			}
			if found := relocated(prog, "trace_event_raw_"); record != "" && !slices.Contains(found, "trace_event_raw_"+record) || record == "" && len(found) > 0 {
				t.Errorf("%s relocates fields of %q", name, found)
			}
			if len(relocated(prog, "")) == 0 {
				t.Errorf("%s relocates nothing", name)
			}
		}
	}
}

// relocated are the structs of whose fields a program, with what it calls, has the loader find
// the place (CO-RE), of those whose name begins so.
func relocated(prog *ebpf.ProgramSpec, prefix string) (names []string) {
	of := regexp.MustCompile(`Struct:"([^"]+)"`)
	for _, ins := range prog.Instructions {
		r := btf.CORERelocationMetadata(&ins)
		if r == nil {
			continue
		}
		if m := of.FindStringSubmatch(r.String()); m != nil && strings.HasPrefix(m[1], prefix) {
			names = append(names, m[1])
		}
	}
	return names
}
