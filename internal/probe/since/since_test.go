// SPDX-License-Identifier: Apache-2.0

package since

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

func TestNewerInstructions(t *testing.T) {
	for _, test := range []struct {
		ins          asm.Instruction
		of54, of58   bool // newer than that
		what, reason string
	}{
		{ins: asm.FnMapLookupElem.Call(), what: "an old helper"},
		{ins: asm.FnProbeReadKernel.Call(), what: "a helper that is replaced"},
		{ins: asm.FnJiffies64.Call(), of54: true, what: "a helper of 5.6"},
		{ins: asm.FnRingbufReserve.Call(), of54: true, what: "a helper of 5.8"},
		{ins: asm.FnGetCurrentTaskBtf.Call(), of54: true, of58: true, what: "a helper of 5.11"},
		{ins: asm.AddAtomic.Mem(asm.R1, asm.R2, asm.DWord, 0), what: "adding"},
		{ins: asm.FetchAdd.Mem(asm.R1, asm.R2, asm.DWord, 0), of54: true, of58: true, what: "adding and telling"},
		{ins: asm.LoadMapPtr(asm.R1, 1), what: "a map"},
		{ins: asm.LoadMapValue(asm.R1, 1, 0), what: "a variable"},
		{ins: asm.Instruction{OpCode: asm.LoadImmOp(asm.DWord), Src: asm.PseudoFunc}, of54: true, of58: true, what: "a callback"},
		{ins: asm.Instruction{OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.Call), Src: asm.PseudoKfuncCall}, of54: true, of58: true, what: "a kfunc"},
		{ins: asm.Instruction{OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.Call), Src: asm.PseudoCall}, what: "a call"},
		{ins: asm.Mov.Reg32(asm.R1, asm.R2), what: "a move"},
		{ins: asm.SDiv.Reg(asm.R1, asm.R2), of54: true, of58: true, what: "a division with signs"},
		{ins: asm.JEq.Imm32(asm.R1, 1, "x"), what: "a jump of 32 bit"},
	} {
		spec := &ebpf.ProgramSpec{Type: ebpf.RawTracepoint, Instructions: asm.Instructions{test.ins}}
		for release, want := range map[Release]bool{Linux54(): test.of54, Linux58(): test.of58} {
			if newer := release.Program(spec); (len(newer) > 0) != want {
				t.Errorf("%s, %s: %v", test.what, release, newer)
			}
		}
	}
}

func TestFilters(t *testing.T) {
	spec := &ebpf.ProgramSpec{Instructions: asm.Instructions{asm.FnKtimeGetNs.Call(), asm.FnGetCurrentPidTgid.Call()}}
	if others := Filter(spec); len(others) != 1 || others[0].At != 1 {
		t.Errorf("%v", others)
	}
}

func TestNewerTypes(t *testing.T) {
	typed := &ebpf.ProgramSpec{Type: ebpf.Tracing}
	if len(Linux54().Program(typed)) != 1 || len(Linux58().Program(typed)) != 0 {
		t.Error("typed tracepoints are not of 5.5")
	}
	const mappable = 1 << 10
	for _, test := range []struct {
		of         ebpf.MapSpec
		of54, of58 bool
	}{
		{of: ebpf.MapSpec{Type: ebpf.PerfEventArray}},
		{of: ebpf.MapSpec{Type: ebpf.RingBuf}, of54: true},
		{of: ebpf.MapSpec{Type: ebpf.Array, Flags: mappable}, of54: true},
		{of: ebpf.MapSpec{Type: ebpf.TaskStorage}, of54: true, of58: true},
		{of: ebpf.MapSpec{Type: ebpf.Array, Flags: mappable << 1}, of54: true, of58: true},
	} {
		if (Linux54().Map(&test.of) != "") != test.of54 || (Linux58().Map(&test.of) != "") != test.of58 {
			t.Errorf("%v: %q, %q", test.of, Linux54().Map(&test.of), Linux58().Map(&test.of))
		}
	}
}
