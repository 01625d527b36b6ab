// SPDX-License-Identifier: Apache-2.0

// Package run runs programs of BPF for user space, which asks them for something.
package run

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// Way is how: as raw tracepoints, which Linux does since 5.10, or as filters of a socket's
// packets, which since 5.8 may read the kernel's memory. The program is the same, and what
// it is asked for.
type Way struct {
	// Filter: as a filter of packets.
	Filter bool
}

// asked is the most that a program is asked for, in words.
const asked = 2

// Where a filter finds what it is asked for: in the words that a packet's users may
// write to (struct __sk_buff, cb, in include/uapi/linux/bpf.h).
const words = 48

// Run runs the program once. The packet is as short as a packet may be.
func (w Way) Run(prog *ebpf.Program, args ...uint64) error {
	options := &ebpf.RunOptions{Context: args}
	if w.Filter {
		var packet struct {
			_    [words]byte
			Args [asked]uint64
		}
		copy(packet.Args[:], args)
		options = &ebpf.RunOptions{Context: packet, Data: make([]byte, 14)}
	}
	_, err := prog.Run(options)
	return err
}

// RunOn is Run on one CPU, where it interrupts the current thread. A filter cannot be told
// where: this thread goes there, so that the one that it interrupts is switched.
func (w Way) RunOn(cpu int, prog *ebpf.Program, args ...uint64) error {
	if w.Filter {
		return elsewhere(cpu, func() error { return w.Run(prog, args...) })
	}
	const onCPU = 1 // BPF_F_TEST_RUN_ON_CPU
	_, err := prog.Run(&ebpf.RunOptions{Context: args, CPU: uint32(cpu), Flags: onCPU})
	return err
}

// elsewhere calls the function on one CPU.
func elsewhere(cpu int, call func() error) error {
	runtime.LockOSThread()
	var home, there unix.CPUSet
	if err := unix.SchedGetaffinity(0, &home); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("ask on which CPUs to run: %w", err)
	}
	there.Set(cpu)
	if err := unix.SchedSetaffinity(0, &there); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("go to CPU %d: %w", cpu, err)
	}
	err := call()
	if back := unix.SchedSetaffinity(0, &home); back != nil {
		// The thread ends with its goroutine: nobody else is to run on it.
		return errors.Join(err, fmt.Errorf("come back from CPU %d: %w", cpu, back))
	}
	runtime.UnlockOSThread()
	return err
}

// Spec makes a raw tracepoint's program into one that can be run.
func (w Way) Spec(of *ebpf.ProgramSpec) (*ebpf.ProgramSpec, error) {
	if !w.Filter {
		return of, nil
	}
	main := of.Instructions[0]
	function := btf.FuncMetadata(&main)
	if function == nil {
		return nil, fmt.Errorf("%s: its function is not known", of.Name)
	}
	out := of.Copy()
	out.Type, out.SectionName, out.AttachTo = ebpf.SocketFilter, "socket", ""
	// The program is called by another one, with what it is asked for on that one's stack
	// in place of a raw tracepoint's arguments.
	inner := *function
	inner.Linkage = btf.StaticFunc // a global one would be told the type of its argument
	out.Instructions[0] = btf.WithFuncMetadata(out.Instructions[0], &inner)
	outer := *function
	outer.Name = "run_" + function.Name
	call := asm.Instructions{
		btf.WithFuncMetadata(asm.LoadMem(asm.R2, asm.R1, words, asm.DWord), &outer).WithSymbol(outer.Name).WithSource(main.Source()),
		asm.StoreMem(asm.RFP, -8*asked, asm.R2, asm.DWord),
		asm.LoadMem(asm.R2, asm.R1, words+8, asm.DWord),
		asm.StoreMem(asm.RFP, -8*asked+8, asm.R2, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.RFP),
		asm.Add.Imm(asm.R1, -8*asked),
		asm.Call.Label(function.Name),
		asm.Return(),
	}
	out.Instructions = append(call, out.Instructions...)
	return out, nil
}

// By is the way of a rung.
func By(w hooks.Way) Way { return Way{Filter: w == hooks.Filter} }

// Find tells how this kernel runs programs for user space.
func Find() Way {
	tracepoint, filter := Way{}, Way{Filter: true}
	if tracepoint.Works() != nil && filter.Works() == nil {
		return filter
	}
	return tracepoint
}

// Works runs a program that only reads the kernel's memory, at an address of none.
func (w Way) Works() error {
	kind := ebpf.RawTracepoint
	if w.Filter {
		kind = ebpf.SocketFilter
	}
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "nothing", Type: kind, License: "GPL",
		Instructions: asm.Instructions{
			asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, -8),
			asm.Mov.Imm(asm.R2, 8), asm.Mov.Imm(asm.R3, 0), asm.FnProbeReadKernel.Call(),
			asm.Mov.Imm(asm.R0, 0), asm.Return(),
		},
	})
	if err != nil {
		return err
	}
	defer func() { _ = prog.Close() }()
	return w.Run(prog, 0)
}
