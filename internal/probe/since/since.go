// SPDX-License-Identifier: Apache-2.0

// Package since tells what of a compiled program or a map is newer than a release of
// Linux. Rungs of the ladder are promised for kernels that nobody tests with every
// change; what they may use is held against that here, on any machine.
package since

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Release of Linux, with the last numbers of what its include/uapi/linux/bpf.h names.
type Release struct {
	name    string
	helper  asm.BuiltinFunc
	program ebpf.ProgramType
	mapType ebpf.MapType
	flags   uint32 // of maps
}

// String is the release, such as "Linux 5.4".
func (r Release) String() string { return r.name }

// Linux54 is what stands in for the ring buffer promised for.
func Linux54() Release {
	return Release{"Linux 5.4", asm.FnTcpGenSyncookie, ebpf.CGroupSockopt, ebpf.DevMapHash, 1<<10 - 1}
}

// Linux58 has the ring buffer, and typed tracepoints.
func Linux58() Release {
	return Release{"Linux 5.8", asm.FnCsumLevel, ebpf.LSM, ebpf.RingBuf, 1<<11 - 1}
}

// Use is something of a program that a release does not have.
type Use struct {
	At   int    // number of the instruction, -1: the program as a whole
	What string // the helper's name, or what it is
}

// Program tells what of the program is newer than the release. Four helpers that read
// memory the eBPF library replaces by older ones where it has to.
func (r Release) Program(spec *ebpf.ProgramSpec) (newer []Use) {
	if spec.Type > r.program {
		newer = append(newer, Use{-1, "program type " + spec.Type.String()})
	}
	for i, ins := range spec.Instructions {
		what := ""
		switch {
		case ins.IsBuiltinCall():
			what = r.call(asm.BuiltinFunc(ins.Constant))
		default:
			what = instruction(&ins)
		}
		if what != "" {
			newer = append(newer, Use{i, what})
		}
	}
	return newer
}

// inFilters are the helpers that Linux 5.8 gives a filter of packets of those that may read
// the kernel's memory (bpf_base_func_proto, kernel/bpf/helpers.c), as far as we use them.
var inFilters = []asm.BuiltinFunc{
	asm.FnMapLookupElem, asm.FnMapUpdateElem, asm.FnMapDeleteElem, asm.FnGetSmpProcessorId, asm.FnKtimeGetNs,
	asm.FnRingbufReserve, asm.FnRingbufSubmit, asm.FnRingbufDiscard, asm.FnJiffies64, asm.FnGetCurrentTask,
	asm.FnProbeReadUser, asm.FnProbeReadKernel, asm.FnProbeReadUserStr, asm.FnProbeReadKernelStr,
}

// Filter tells which helpers a program calls that Linux 5.8 does not give to filters.
func Filter(spec *ebpf.ProgramSpec) (others []Use) {
	for i, ins := range spec.Instructions {
		if f := asm.BuiltinFunc(ins.Constant); ins.IsBuiltinCall() && !slices.Contains(inFilters, f) {
			others = append(others, Use{i, f.String()})
		}
	}
	return others
}

// Map tells what of the map is newer than the release; empty: nothing.
func (r Release) Map(spec *ebpf.MapSpec) string {
	switch {
	case spec.Type > r.mapType:
		return "map type " + spec.Type.String()
	case spec.Flags&^r.flags != 0:
		return fmt.Sprintf("flags %#x", spec.Flags&^r.flags)
	}
	return ""
}

func (r Release) call(f asm.BuiltinFunc) string {
	switch f {
	case asm.FnProbeReadUser, asm.FnProbeReadKernel, asm.FnProbeReadUserStr, asm.FnProbeReadKernelStr:
		return ""
	}
	if f > r.helper {
		return f.String()
	}
	return ""
}

// instruction tells what is newer than Linux 5.8, of which all have the same
// instructions since 5.3 (loops with bounds, which only a verifier can tell).
func instruction(ins *asm.Instruction) string {
	op := ins.OpCode
	switch class := op.Class(); {
	case ins.IsKfuncCall():
		return "a function of the kernel (5.13)"
	case ins.IsLoadOfFunctionPointer():
		return "a callback (5.13)"
	case op.IsDWordLoad() && ins.Src > asm.PseudoMapValue:
		return "an address of the kernel's (5.10)"
	case class == asm.StXClass && op.Mode() == asm.AtomicMode && op.AtomicOp() != asm.AddAtomic:
		return "an atomic operation other than adding (5.12)"
	case class == asm.LdXClass && op.Mode() == asm.MemSXMode:
		return "a load with its sign (6.6)"
	case class.IsALU() && newerALU(op):
		return "arithmetic with signs, or a swap of bytes (6.6)"
	case class.IsJump() && newerJump(op, class):
		return "a long jump (6.6) or may_goto (6.9)"
	}
	return ""
}

func newerALU(op asm.OpCode) bool {
	switch op.ALUOp() {
	case asm.SDiv, asm.SMod, asm.MovSX8, asm.MovSX16, asm.MovSX32:
		return true
	case asm.Swap:
		return op.Class() == asm.ALU64Class
	}
	return false
}

func newerJump(op asm.OpCode, class asm.Class) bool {
	const conditional = asm.JumpOp(0xe0) // BPF_JCOND
	return op.JumpOp() == conditional || class == asm.Jump32Class && op.JumpOp() == asm.Ja
}
