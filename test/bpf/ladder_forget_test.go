// SPDX-License-Identifier: Apache-2.0

//go:build !bare

package bpf

import (
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Verifiers before Linux 5.10 forget between which bounds a number lies that was laid on the
// stack for a while (check_stack_write there keeps pointers, and constants of 64 bits), and refuse
// what was then indexed with it. This kernel's does the same where nothing is added to the
// number by an atomic operation before it is fetched.
func TestLadderOfForgottenBounds(t *testing.T) {
	needKernel(t)
	arch := map[string]string{"amd64": "x86", "arm64": "arm64"}[runtime.GOARCH]
	forgotten := 0
	for _, object := range []string{"probe/observerold_", "probe/bursts/bursts_"} {
		spec, err := ebpf.LoadCollectionSpec("../../internal/" + object + arch + "_bpfel.o")
		if err != nil {
			t.Fatal(err)
		}
		for name, prog := range spec.Programs {
			if name == "read_counters" { // what the verifier notes of its loops has no room anywhere
				continue
			}
			log := loadsAlone(t, spec, name)
			fetches := fetched(log)
			if len(fetches) == 0 {
				continue
			}
			forgotten += len(fetches)
			prog.Instructions = forget(prog.Instructions, fetches)
			loadsAlone(t, spec, name)
		}
	}
	if forgotten == 0 {
		t.Error("nothing was fetched from any stack: the test sees nothing")
	}
	t.Logf("%d places", forgotten)
}

// A program that needs the bounds of what was on the stack is refused once they are forgotten.
func TestBoundsAreForgotten(t *testing.T) {
	needKernel(t)
	one, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = one.Close() }()
	program := asm.Instructions{
		asm.Mov.Imm(asm.R1, 0), asm.StoreMem(asm.RFP, -8, asm.R1, asm.DWord),
		asm.LoadMapPtr(asm.R1, one.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, -8), asm.FnMapLookupElem.Call(),
		asm.Mov.Reg(asm.R6, asm.R0),
		{OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.JEq).SetSource(asm.ImmSource), Dst: asm.R0, Offset: 6},
		asm.FnGetPrandomU32.Call(), asm.And.Imm(asm.R0, 3), asm.StoreMem(asm.RFP, -16, asm.R0, asm.DWord),
		asm.LoadMem(asm.R1, asm.RFP, -16, asm.DWord), asm.Add.Reg(asm.R6, asm.R1), asm.LoadMem(asm.R0, asm.R6, 0, asm.Byte),
		asm.Mov.Imm(asm.R0, 0), asm.Return(),
	}
	load := func(program asm.Instructions) (string, error) {
		prog, err := ebpf.NewProgramWithOptions(&ebpf.ProgramSpec{Type: ebpf.RawTracepoint, License: "GPL", Instructions: program},
			ebpf.ProgramOptions{LogLevel: ebpf.LogLevelInstruction})
		if err != nil {
			return "", err
		}
		return prog.VerifierLog, prog.Close()
	}
	log, err := load(program)
	if err != nil {
		t.Fatal(err)
	}
	places := fetched(log)
	if len(places) != 1 {
		t.Errorf("places %v in %s", places, log)
	}
	if _, err := load(forget(program, places)); err == nil || !strings.Contains(err.Error(), "unbounded") {
		t.Errorf("the bounds were not forgotten: %v", err)
	}
}

// loadsAlone loads one program and returns what the verifier noted.
func loadsAlone(t *testing.T, spec *ebpf.CollectionSpec, name string) string {
	t.Helper()
	one := spec.Copy()
	one.Programs = map[string]*ebpf.ProgramSpec{name: one.Programs[name]}
	made, err := ebpf.NewCollectionWithOptions(one, ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{
		LogLevel: ebpf.LogLevelInstruction, LogSizeStart: 1 << 26,
	}})
	if err != nil {
		text := err.Error()
		t.Errorf("%s: %s", name, text[max(0, len(text)-2000):])
		return ""
	}
	defer made.Close()
	return made.Programs[name].VerifierLog
}

// fetch is a line of the verifier's about a number, or a pointer, that comes from the stack.
var fetch = regexp.MustCompile(`^(\d+): \((79|61)\) [rw]\d = \*\(u(?:64|32) \*\)\(r10 -\d+\)\s+; R\d(?:_\w+)?=(\S+)`)

// fetched are the places where numbers come from the stack that are no constants of 64 bits.
func fetched(log string) map[int]bool {
	places := map[int]bool{}
	for line := range strings.Lines(log) {
		m := fetch.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		at, err := strconv.Atoi(m[1])
		if err != nil {
			continue
		}
		_, err = strconv.ParseInt(m[3], 0, 64)
		constant, number := err == nil, strings.HasPrefix(m[3], "scalar")
		if constant {
			number = m[2] == "61"
		}
		if !number && !constant {
			places[at] = false // a pointer
		} else if was, seen := places[at]; number && (was || !seen) {
			places[at] = true
		}
	}
	for at, number := range places {
		if !number {
			delete(places, at)
		}
	}
	return places
}

// forget puts two instructions before each of the places.
func forget(program asm.Instructions, places map[int]bool) asm.Instructions {
	var out asm.Instructions
	var old []int        // of each in out, where it was
	now := map[int]int{} // where each is that was there
	at, length := 0, 0   // in words of 64 bit
	add := func(ins asm.Instruction, was int) {
		out, old, length = append(out, ins), append(old, was), length+width(ins)
	}
	for _, ins := range program {
		now[at] = length
		if places[at] {
			nothing := asm.Mov.Imm(ins.Dst, 0)
			if symbol := ins.Symbol(); symbol != "" {
				nothing, ins = nothing.WithSymbol(symbol), ins.WithSymbol("")
			}
			add(nothing, -1)
			add(asm.AddAtomic.Mem(asm.RFP, ins.Dst, ins.OpCode.Size(), ins.Offset), -1)
		}
		add(ins, at)
		at += width(ins)
	}
	place := 0
	for i := range out {
		if was := old[i]; was >= 0 && jumps(out[i]) {
			out[i].Offset = int16(now[was+1+int(out[i].Offset)] - place - 1)
		}
		place += width(out[i])
	}
	return out
}

func width(ins asm.Instruction) int { return int(ins.Size() / asm.InstructionSize) }

func jumps(ins asm.Instruction) bool {
	op := ins.OpCode
	return op.Class().IsJump() && op.JumpOp() != asm.Call && op.JumpOp() != asm.Exit && ins.Reference() == ""
}
