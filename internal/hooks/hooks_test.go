// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"slices"
	"strings"
	"testing"
)

func TestLadders(t *testing.T) {
	wellMade(t, Ladders())
	wellMade(t, Offer{Preempts: true}.Ladders())
	for i, l := range (Offer{Preempts: true}).Ladders() {
		usual := Ladders()[i]
		if l.Hook != usual.Hook || len(l.Rungs) != len(usual.Rungs) {
			t.Errorf("%s has %d rungs, %s usually %d", l.Hook, len(l.Rungs), usual.Hook, len(usual.Rungs))
		}
	}
}

func wellMade(t *testing.T, ladders []Ladder) {
	t.Helper()
	seen := map[Hook]bool{}
	for _, l := range ladders {
		if seen[l.Hook] || l.Hears == "" {
			t.Errorf("%s is there twice, or hears nothing", l.Hook)
		}
		seen[l.Hook] = true
		ways := map[Way]bool{}
		for i, r := range l.Rungs {
			if ways[r.Way] {
				t.Errorf("%s has %s twice", l.Hook, r.Way)
			}
			ways[r.Way] = true
			if last := i == len(l.Rungs)-1; last != (r.Way == Off) {
				t.Errorf("%s: rung %d is %s", l.Hook, i, r.Way)
			}
			if len(r.Loses) > 160 || strings.Contains(r.Loses, "\n") {
				t.Errorf("%s/%s: %d bytes: %s", l.Hook, r.Way, len(r.Loses), r.Loses)
			}
		}
		if l.Rungs[0].Loses != "" {
			t.Errorf("the best rung of %s loses something", l.Hook)
		}
		if l.Rungs[len(l.Rungs)-1].Loses == "" {
			t.Errorf("%s loses nothing when it is off", l.Hook)
		}
	}
}

func choice(t *testing.T, p Plan, h Hook) Choice {
	t.Helper()
	i := slices.IndexFunc(p, func(c Choice) bool { return c.Hook == h })
	if i < 0 {
		t.Fatalf("%s is not in the plan", h)
	}
	return p[i]
}

func TestChoose(t *testing.T) {
	refuse := func(rungs ...string) Offer {
		return Offer{Refuses: func(h Hook, w Way) string {
			if slices.Contains(rungs, string(w)+"/"+string(h)) || slices.Contains(rungs, string(w)) {
				return "not here"
			}
			return ""
		}}
	}
	for _, test := range []struct {
		name    string
		offer   Offer
		without string
		want    map[Hook]Way
	}{
		{"all there is", Offer{}, "", map[Hook]Way{
			Events: RingBuffer, Bandwidth: TestRun, CgroupMkdir: Typed, CgroupAttach: Typed, MarkVictim: Raw, Bursts: Typed, Switch: Typed,
		}},
		{"no typed programs", Offer{}, "tp_btf", map[Hook]Way{Events: RingBuffer, CgroupMkdir: Raw, CgroupAttach: Raw, SysExit: Raw, Bursts: Off}},
		{"perf tracepoints", Offer{}, "tp_btf,raw_tp", map[Hook]Way{
			CgroupMkdir: Tracepoint, CgroupAttach: Inferred, Exec: Tracepoint, Fork: Off, SysExit: Tracepoint, Switch: Tracepoint,
		}},
		{"a kernel that preempts programs", Offer{Preempts: true}, "", map[Hook]Way{
			SysExit: Tracepoint, Exec: Tracepoint, Exit: Tracepoint, Fork: Typed, Switch: Typed, CgroupMkdir: Typed,
		}},
		{"the same without tracefs", Offer{Preempts: true}, "tracepoint", map[Hook]Way{SysExit: Typed, Exec: Typed, Exit: Typed}},
		{"the same without the ring", Offer{Preempts: true}, "ringbuf", map[Hook]Way{SysExit: Raw, Exec: Tracepoint}},
		{"no ring buffer", Offer{}, "ringbuf", map[Hook]Way{Events: PerfBuffer, CgroupMkdir: Raw, Switch: Raw, Bursts: Off, Bandwidth: TestRun}},
		{"a managed node without cgroup tracepoints", refuse("tp_btf/cgroup_mkdir", "raw_tp/cgroup_mkdir", "tracepoint/cgroup_mkdir"), "", map[Hook]Way{
			CgroupMkdir: Inotify, CgroupRmdir: Typed, CgroupAttach: Typed,
		}},
		{"the same by name", Offer{}, "cgroup_mkdir,cgroup_rmdir,cgroup_attach_task", map[Hook]Way{
			CgroupMkdir: Inotify, CgroupRmdir: Inotify, CgroupAttach: Inferred, Exec: Typed,
		}},
		{"no inotify either", Offer{}, "cgroup_mkdir,inotify", map[Hook]Way{CgroupMkdir: Poll, CgroupRmdir: Typed}},
		{"one rung", Offer{}, "tp_btf/sys_exit", map[Hook]Way{SysExit: Raw, Exec: Typed}},
		{"no test run", Offer{}, "test_run", map[Hook]Way{Bandwidth: Files, Bursts: Off, Exec: Typed}},
		{"runs of filters only", refuse("test_run/bandwidth"), "", map[Hook]Way{Bandwidth: Filter, Bursts: Typed, Exec: Typed}},
		{"the same by name", Offer{}, "test_run/bandwidth", map[Hook]Way{Bandwidth: Filter, Bursts: Typed}},
		{"runs of raw tracepoints only", Offer{}, "filter", map[Hook]Way{Bandwidth: TestRun, Bursts: Typed}},
		{"neither by name", Offer{}, "test_run/bandwidth,filter", map[Hook]Way{Bandwidth: Files, Bursts: Off}},
		{"nobody to infer from", Offer{}, "cgroup_attach_task,sched_process_exec", map[Hook]Way{CgroupAttach: Off, Exec: Off}},
		{"no BPF", Offer{}, "bpf", map[Hook]Way{
			Events: Off, Bandwidth: Files, CgroupMkdir: Inotify, CgroupAttach: Off, Exec: Off, Bursts: Off, Switch: Off,
		}},
		{"no events", refuse("ringbuf", "perfbuf"), "", map[Hook]Way{Events: Off, Bandwidth: Files, Exec: Off, CgroupRmdir: Inotify}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var names []string
			if test.without != "" {
				names = strings.Split(test.without, ",")
			}
			without, err := ParseWithout(names)
			if err != nil {
				t.Fatal(err)
			}
			plan := Choose(test.offer, without)
			if len(plan) != len(Ladders()) {
				t.Errorf("%d choices", len(plan))
			}
			for h, want := range test.want {
				if got := plan.Way(h); got != want {
					t.Errorf("%s: %s, want %s (%+v)", h, got, want, choice(t, plan, h))
				}
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	without, err := ParseWithout([]string{"raw_tp/cgroup_mkdir", "tracepoint"})
	if err != nil {
		t.Fatal(err)
	}
	c := choice(t, Choose(Offer{Refuses: func(h Hook, w Way) string {
		if h == CgroupMkdir && w == Typed {
			return "the kernel has no such tracepoint"
		}
		return ""
	}}, without), CgroupMkdir)
	want := []Refusal{
		{Typed, "the kernel has no such tracepoint"},
		{Raw, "switched off by --without raw_tp/cgroup_mkdir"},
		{Tracepoint, "switched off by --without tracepoint"},
	}
	if c.Way != Inotify || !slices.Equal(c.Refused, want) || c.Loses == "" {
		t.Errorf("%+v", c)
	}
}

func TestWithout(t *testing.T) {
	for _, name := range []string{"", "kprobe", "off", "tp_btf/", "tracepoint/sched_process_fork", "poll/sys_exit", "sys_enter", "off/events", "cgroup_mkdir/tp_btf", "BPF"} {
		_, err := ParseWithout([]string{"tp_btf", name})
		if err == nil || !strings.Contains(err.Error(), `"`+name+`"`) || !strings.Contains(err.Error(), "cgroup_attach_task") ||
			!strings.Contains(err.Error(), "perfbuf") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", name, err)
		}
	}
	w, err := ParseWithout([]string{"btf", "tp_btf", "btf", "raw_tp/sys_exit", "bursts"})
	if err != nil || w.String() != "btf,tp_btf,raw_tp/sys_exit,bursts" || !w.Has(WithoutBTF) || w.Has("raw_tp") {
		t.Errorf("%v %v", w, err)
	}
	// A file stands in for the kernel's own BTF.
	for _, file := range []bool{false, true} {
		if plan := Choose(Offer{BTFFile: file}, Without{[]string{"btf"}}); (plan.Way(Exec) != Off) != file {
			t.Errorf("with a file: %v: %+v", file, plan)
		}
	}
}

func TestLoses(t *testing.T) {
	if all := Choose(Offer{}, Without{}).Loses(); len(all) != 0 {
		t.Errorf("the best rungs lose %q", all)
	}
	plan := Choose(Offer{}, Without{[]string{"sched_switch", "cgroup_mkdir", "inotify", "cgroup_rmdir"}})
	if all := plan.Loses(Switch); len(all) != 1 || all[0] != choice(t, plan, Switch).Loses {
		t.Errorf("%q", all)
	}
	if all := Choose(Offer{Preempts: true}, Without{}).Loses(); len(all) != 0 {
		t.Errorf("where programs are preempted the best rungs lose %q", all)
	}
	if all := Choose(Offer{Preempts: true}, Without{[]string{"tracepoint"}}).Loses(); len(all) != 1 || !strings.Contains(all[0], "preempted, what happens there is left out") {
		t.Errorf("where programs are preempted raw tracepoints lose %q", all)
	}
	// Both cgroup hooks are polled: one sentence.
	if all := plan.Loses(); len(all) != 2 {
		t.Errorf("%q", all)
	}
	// What is lost on the way to user space, and what no perf tracepoint hears.
	plan = Choose(Offer{}, Without{[]string{"ringbuf", "raw_tp/sched_process_exec", "raw_tp/sched_switch"}})
	for h, want := range map[Hook]string{Events: "netlink messages", Exec: "is left out", Switch: "is left out", Fork: ""} {
		if all := strings.Join(plan.Loses(h), "\n"); (all == "") != (want == "") || !strings.Contains(all, want) {
			t.Errorf("%s: %q", h, all)
		}
	}
	if way := (Plan{}).Way(Exec); way != Off {
		t.Errorf("%s", way)
	}
}
