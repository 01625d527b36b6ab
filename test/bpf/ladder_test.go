// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

func without(t testing.TB, names ...string) hooks.Without {
	t.Helper()
	w, err := hooks.ParseWithout(names)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// onRungs lets the tests of t listen with a probe of its own.
func onRungs(t *testing.T, o probe.Options) *sharedProbe {
	t.Helper()
	needKernel(t)
	best := shared
	shared = &sharedProbe{options: o}
	t.Cleanup(func() {
		own := shared
		shared = best
		if err := own.close(); err != nil {
			t.Error(err)
		}
	})
	if err := shared.open(); err != nil {
		t.Fatalf("%+v", err)
	}
	for _, c := range shared.probe.Plan() {
		t.Logf("%-20s %-10s %+v", c.Hook, c.Way, c.Refused)
	}
	return shared
}

// ladder of a hook on this kernel.
func ladder(h hooks.Hook) hooks.Ladder {
	all := hooks.Offer{Preempts: probe.Preempts()}.Ladders()
	return all[slices.IndexFunc(all, func(l hooks.Ladder) bool { return l.Hook == h })]
}

// ofCalls is the way in which system calls are heard where perf tracepoints are preferred
// to this one: where this kernel preempts programs, as far as it has them.
func ofCalls(way hooks.Way) hooks.Way {
	if probe.Preempts() {
		return hooks.Tracepoint
	}
	return way
}

// ofRuns is the way in which programs are run for user space: as filters before Linux 5.10.
func ofRuns() hooks.Way {
	if probe.Offers("").Refuses(hooks.Bandwidth, hooks.TestRun) != "" {
		return hooks.Filter
	}
	return hooks.TestRun
}

// The best rungs lose nothing, and there is one for each hook: whatever else a kernel
// may lack, all kernels of the matrix have these.
func TestLadderBest(t *testing.T) {
	k := listen(t)
	for _, c := range k.Plan() {
		want := ladder(c.Hook).Rungs[0].Way
		if c.Hook == hooks.Bandwidth {
			want = ofRuns()
		}
		if c.Way != want || c.Loses != "" {
			t.Errorf("%s: %s, want %s: %+v", c.Hook, c.Way, want, c.Refused)
		}
	}
	if offered := hooks.Choose(probe.Offers(""), hooks.Without{}); !slices.EqualFunc(offered, k.Plan(), func(a, b hooks.Choice) bool { return a.Hook == b.Hook && a.Way == b.Way }) {
		t.Errorf("offered %+v, had %+v", offered, k.Plan())
	}
}

// What a lower rung tells is held against the same accounts as what the best one does.
func TestLadder(t *testing.T) {
	needKernel(t)
	mountTracefs(t)
	types := copyOfTypes(t)
	records := []string{"tp_btf"} // where there is a record that says enough, it is the source
	offer := probe.Offers("")
	for _, l := range hooks.Ladders() {
		if slices.ContainsFunc(l.Rungs, func(r hooks.Rung) bool { return r.Way == hooks.Tracepoint }) && offer.Refuses(l.Hook, hooks.Tracepoint) == "" {
			records = append(records, "raw_tp/"+string(l.Hook))
		}
	}
	recorded := func(h hooks.Hook) hooks.Way { // that of a cgroup has no id of 64 bits before 5.10
		if slices.Contains(records, "raw_tp/"+string(h)) {
			return hooks.Tracepoint
		}
		return hooks.Raw
	}
	for _, rungs := range []struct {
		name    string
		options probe.Options
		want    map[hooks.Hook]hooks.Way
		tests   []string // where the CPU is emulated (none: what the others have has to do); all of them elsewhere
	}{
		{"raw tracepoints", probe.Options{Without: without(t, "tp_btf", "tracepoint")},
			map[hooks.Hook]hooks.Way{hooks.Events: hooks.RingBuffer, hooks.SysExit: hooks.Raw, hooks.CgroupAttach: hooks.Raw, hooks.Switch: hooks.Raw, hooks.Bursts: hooks.Off},
			nil},
		{"perf tracepoints", probe.Options{Without: without(t, records...)},
			map[hooks.Hook]hooks.Way{hooks.SysExit: recorded(hooks.SysExit), hooks.CgroupMkdir: recorded(hooks.CgroupMkdir), hooks.Exec: hooks.Tracepoint, hooks.Switch: hooks.Tracepoint, hooks.MarkVictim: hooks.Tracepoint},
			[]string{"a container", "cgroups", "an exec's thread", "deeds", "system calls", "a wait"}},
		{"a file's types and the perf buffer", probe.Options{Without: without(t, "btf", "ringbuf"), BTF: types},
			map[hooks.Hook]hooks.Way{hooks.Events: hooks.PerfBuffer, hooks.SysExit: hooks.Raw, hooks.CgroupMkdir: hooks.Raw, hooks.Bandwidth: ofRuns()},
			[]string{"a container", "deeds", "memory"}},
		{"inferred joins", probe.Options{Without: without(t, "cgroup_attach_task")},
			map[hooks.Hook]hooks.Way{hooks.Events: hooks.RingBuffer, hooks.SysExit: ofCalls(hooks.Typed), hooks.CgroupAttach: hooks.Inferred, hooks.Bursts: hooks.Typed},
			[]string{"a container", "born elsewhere"}},
	} {
		if slack != 1 && rungs.tests == nil {
			continue
		}
		t.Run(rungs.name, func(t *testing.T) {
			plan := onRungs(t, rungs.options).probe.Plan()
			for h, way := range rungs.want {
				if plan.Way(h) != way {
					t.Errorf("%s: %s, want %s", h, plan.Way(h), way)
				}
			}
			for _, c := range plan { // nothing else but what these rungs are known to lose
				if known := c.Hook == hooks.Bursts && c.Way == hooks.Off || c.Way == hooks.PerfBuffer || knownToLose(c); known != (c.Loses != "") {
					t.Errorf("%s/%s loses %q", c.Way, c.Hook, c.Loses)
				}
			}
			for name, test := range heldAgainst {
				if slack == 1 || slices.Contains(rungs.tests, name) {
					t.Run(name, test)
				}
			}
		})
	}
}

// knownToLose is true of the lesser of raw and perf tracepoints, on kernels where either
// is: perf tracepoints before Linux 7, since then raw ones of what may be preempted.
func knownToLose(c hooks.Choice) bool {
	rungs := ladder(c.Hook).Rungs
	if i := slices.IndexFunc(rungs, func(r hooks.Rung) bool { return r.Way == hooks.Tracepoint }); i != 0 {
		return c.Way == hooks.Tracepoint
	}
	return c.Way == hooks.Typed || c.Way == hooks.Raw
}

// heldAgainst are tests of the best rungs that the others have to pass as well.
var heldAgainst = map[string]func(*testing.T){
	"a container":      TestContainer,
	"cgroups":          TestACgroupThatIsGoneIsNotRead,
	"children":         TestMembersAreTheForkersChildren,
	"an exec's thread": TestAnExecInAnotherThreadEndsNoProcess,
	"born elsewhere":   TestAChildInAnotherCgroup,
	"deeds":            TestDeedsOfARuntime,
	"devices":          TestNetworkDevicesAreCounted,
	"memory":           TestOutOfMemory,
	"system calls":     TestSyscallsAgainstStrace,
	"a wait":           func(t *testing.T) { oneWait(t, "timer") },
}

// oneWait is one of TestWaitsAgainstTheWaiter.
func oneWait(t *testing.T, way string) {
	k := listen(t)
	k.arm()
	path := program(t, runtimeName)
	s := spells[slices.IndexFunc(spells, func(s spell) bool { return s.way == way })]
	k.insist(t, func(int) string { return k.wait(t, path, s) })
}

// mountTracefs is for machines that have it not mounted: perf tracepoints are found there.
func mountTracefs(t testing.TB) {
	t.Helper()
	const dir = "/sys/kernel/tracing"
	if _, err := os.Stat(dir + "/events"); err == nil {
		return
	}
	if err := unix.Mount("tracefs", dir, "tracefs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

func copyOfTypes(t *testing.T) string {
	t.Helper()
	from, err := os.Open("/sys/kernel/btf/vmlinux")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	name := filepath.Join(t.TempDir(), "vmlinux.btf")
	to, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// Without what only adds, all else is heard, and what is lost is said.
func TestLadderOfLittle(t *testing.T) {
	gone := []hooks.Hook{
		hooks.CgroupMkdir, hooks.CgroupRmdir, hooks.CgroupAttach, hooks.MarkVictim, hooks.SysExit,
		hooks.SocketState, hooks.Switch, hooks.Wakeup,
	}
	names := []string{"test_run"}
	for _, h := range gone {
		names = append(names, string(h))
	}
	plan := onRungs(t, probe.Options{Without: without(t, names...)}).probe.Plan()
	want := map[hooks.Hook]hooks.Way{
		hooks.CgroupMkdir: hooks.Inotify, hooks.CgroupRmdir: hooks.Inotify, hooks.CgroupAttach: hooks.Inferred, hooks.Bandwidth: hooks.Files,
	}
	for _, h := range append(gone, hooks.Bandwidth) {
		way := want[h]
		if way == "" {
			way = hooks.Off
		}
		if plan.Way(h) != way {
			t.Errorf("%s: %s, want %s", h, plan.Way(h), way)
		}
		if lost := plan.Loses(h); way == hooks.Off && len(lost) != 1 {
			t.Errorf("%s: loses %q", h, lost)
		}
	}
	k := listen(t)
	k.arm()
	start(t, program(t, runtimeName), "children", "2", "little-mark")
	family := k.opened("little-mark")
	k.exited(family)
	if c := k.counts(family.Session).Own; c.Processes != 3 || c.Execs != 3 || len(c.Syscalls) != 0 {
		if lost, err := k.Lost(); err != nil || lost.Skipped == 0 {
			t.Errorf("%+v; lost: %+v, %v", c, lost, err)
		}
	}
	if err := k.Walk(func(uint64, uint64, string) {}); !errors.Is(err, probe.ErrNoTestRun) {
		t.Errorf("walk: %v", err)
	}
	if _, err := k.ReadGroup(1, 1); !errors.Is(err, probe.ErrNoTestRun) {
		t.Errorf("read a group: %v", err)
	}
	if _, _, err := k.Locate("/"); !errors.Is(err, probe.ErrNoTestRun) {
		t.Errorf("locate: %v", err)
	}
	// The exec of the entrypoint tells that it has joined.
	dir, _ := makeCgroup(t, "inferred")
	start(t, program(t, runtimeName), "container", "inferred-mark", dir)
	open := k.opened("inferred-mark")
	k.find("the join", func(e event.Event) bool {
		return e.Kind == event.CgroupJoin && e.Session == open.Session && e.Cgroup == inode(t, dir)
	})
	k.exited(open)
	k.counts(open.Session)
}

// A cgroup is found by its path.
func TestLadderLocates(t *testing.T) {
	k := listen(t)
	dir, path := makeCgroup(t, "locate")
	made := k.made(path)
	if id, pointer, err := k.Locate(path + "/"); err != nil || id != made.Cgroup || pointer != made.Pointer {
		t.Errorf("%d at %#x, %v; %+v", id, pointer, err, made)
	}
	for _, name := range []string{"", "/"} {
		if id, _, err := k.Locate(name); err != nil || id != inode(t, hierarchy(t).Root) {
			t.Errorf("the root: %d, %v", id, err)
		}
	}
	removeCgroup(t, dir)
	if _, _, err := k.Locate(path); !errors.Is(err, probe.ErrGone) {
		t.Errorf("after its removal: %v", err)
	}
}

// Where nothing of BPF is left, one line says why.
func TestLadderOfNothing(t *testing.T) {
	needKernel(t)
	broken := filepath.Join(t.TempDir(), "broken.btf")
	writeNew(t, broken, "no types")
	for _, test := range []struct {
		options probe.Options
		reason  error
		says    string
	}{
		{probe.Options{Without: without(t, "bpf")}, probe.ErrSwitchedOff, "--without bpf"},
		{probe.Options{Without: without(t, "btf")}, probe.ErrSwitchedOff, "--without btf"},
		{probe.Options{Without: without(t, "ringbuf", "perfbuf")}, probe.ErrSwitchedOff, "none is left"},
		{probe.Options{BTF: broken}, probe.ErrNoBTF, broken},
		{probe.Options{BTF: filepath.Join(t.TempDir(), "none")}, probe.ErrNoBTF, "none"},
	} {
		_, err := probe.Load(test.options)
		if !errors.Is(err, test.reason) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
	}
}

// One of the two capabilities is not enough, and is not taken for a kernel that lacks
// this and that.
func TestLadderOfOneCapability(t *testing.T) {
	needKernel(t)
	for name, capability := range map[string]uintptr{"CAP_BPF": unix.CAP_BPF, "CAP_PERFMON": unix.CAP_PERFMON} {
		out, err := loadAsNobody(t, capability)
		if err == nil || strings.Contains(out, "\n") || !strings.Contains(out, "run as root or with CAP_BPF and CAP_PERFMON") {
			t.Errorf("with %s: %v: %q", name, err, out)
		}
	}
}

func writeNew(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
