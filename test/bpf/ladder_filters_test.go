// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"maps"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
	runner "github.com/kernel-gossip/kernel-gossip/internal/probe/run"
)

// Linux 5.8 and 5.9 run programs for user space as filters of packets only. What these read
// is held against the same accounts as what raw tracepoints read: cgroups and their counters,
// the bursts of threads that are switched, and the pieces of one that never is.
func TestLadderOfFilters(t *testing.T) {
	plan := onRungs(t, probe.Options{Without: without(t, "test_run/bandwidth")}).probe.Plan()
	for h, want := range map[hooks.Hook]hooks.Way{hooks.Bandwidth: hooks.Filter, hooks.Bursts: hooks.Typed} {
		if way := plan.Way(h); way != want {
			t.Errorf("%s: %s, want %s", h, way, want)
		}
		if lost := plan.Loses(h); len(lost) != 0 {
			t.Errorf("%s: loses %q", h, lost)
		}
	}
	earsBy(t, plan.Way(hooks.Bandwidth))
	tests := map[string]func(*testing.T){
		"counters": TestBandwidthAgainstCPUStat,
		"many":     TestManyCgroupsAreReadTogether,
		"bursts":   TestBurstsAgainstTheThreadsAccount,
		"pieces":   TestAThreadThatNeverBlocksIsToldInPieces,
	}
	if slack == 1 {
		maps.Copy(tests, map[string]func(*testing.T){
			"cgroups":             TestACgroupThatIsGoneIsNotRead,
			"places":              TestLadderLocates,
			"a walk":              TestWalkAgainstTheFileSystem,
			"parked":              TestParkedAgainstCPUStat,
			"below, and removed":  TestACgroupBelowAndOneThatIsRemoved,
			"two at a time":       TestTwoAreListenedToAtATime,
			"under way at an end": TestWhatIsUnderWayAtTheEndIsTold,
		})
	}
	for name, test := range tests {
		t.Run(name, test)
	}
}

// earsBy lets the tests of t listen to bursts with a listener of its own.
func earsBy(t *testing.T, way hooks.Way) {
	t.Helper()
	if err := closeEars(); err != nil {
		t.Fatal(err)
	}
	best := earsOptions
	earsOptions = bursts.Options{Run: way}
	t.Cleanup(func() {
		earsOptions = best
		if err := closeEars(); err != nil {
			t.Error(err)
		}
	})
}

// What is asked of a CPU is run there, as a filter too, and whoever asked is let go again.
func TestLadderOfFiltersRunsThere(t *testing.T) {
	needKernel(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var cpus, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		t.Fatal(err)
	}
	for _, w := range []hooks.Way{ofRuns(), hooks.Filter} {
		way := runner.By(w)
		prog, where := whereabouts(t, way)
		for cpu := range runtime.NumCPU() {
			if !cpus.IsSet(cpu) {
				continue
			}
			for range 10 {
				var ran uint64
				if err := way.RunOn(cpu, prog, 1, 2); err != nil {
					t.Fatalf("%s: %v", w, err)
				}
				if err := where.Lookup(uint32(0), &ran); err != nil || ran != uint64(cpu) {
					t.Errorf("%s: what was asked of CPU %d ran on CPU %d, %v", w, cpu, ran, err)
				}
			}
		}
		if err := unix.SchedGetaffinity(0, &after); err != nil || after != cpus {
			t.Errorf("%s: it may run on %v afterwards, not on %v, %v", w, after, cpus, err)
		}
	}
}

// whereabouts is a program that notes on which CPU it runs, and where it does.
func whereabouts(t *testing.T, way runner.Way) (*ebpf.Program, *ebpf.Map) {
	t.Helper()
	where, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = where.Close() })
	number := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	function := &btf.Func{Name: "whereabouts", Linkage: btf.GlobalFunc, Type: &btf.FuncProto{
		Return: number, Params: []btf.FuncParam{{Name: "ctx", Type: &btf.Pointer{Target: &btf.Void{}}}},
	}}
	spec, err := way.Spec(&ebpf.ProgramSpec{Name: function.Name, Type: ebpf.RawTracepoint, License: "GPL", Instructions: asm.Instructions{
		btf.WithFuncMetadata(asm.FnGetSmpProcessorId.Call(), function).WithSymbol(function.Name),
		asm.StoreMem(asm.RFP, -8, asm.R0, asm.DWord), asm.StoreImm(asm.RFP, -16, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, where.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, -16),
		asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, -8), asm.Mov.Imm(asm.R4, 0), asm.FnMapUpdateElem.Call(),
		asm.Mov.Imm(asm.R0, 0), asm.Return(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	prog, err := ebpf.NewProgram(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prog.Close() })
	return prog, where
}
