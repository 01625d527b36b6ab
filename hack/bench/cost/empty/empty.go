// SPDX-License-Identifier: Apache-2.0

// Package empty has programs that do nothing, on the entry and the exit of every
// system call of the machine: what the kernel itself takes for letting anybody listen.
package empty

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// Programs are loaded, and attached at times. Not safe for concurrent use.
type Programs struct {
	program *ebpf.Program
	on      []link.Link
}

// Load loads them and attaches nothing (root).
func Load() (*Programs, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "empty", Type: ebpf.RawTracepoint, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return nil, fmt.Errorf("load an empty program: %w", err)
	}
	return &Programs{program: p}, nil
}

// Program is the one that is attached twice.
func (p *Programs) Program() *ebpf.Program { return p.program }

// Attach puts them on sys_enter and sys_exit. Where they are already, it does nothing.
func (p *Programs) Attach() error {
	if len(p.on) > 0 {
		return nil
	}
	for _, name := range []string{"sys_enter", "sys_exit"} {
		l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: name, Program: p.program})
		if err != nil {
			return errors.Join(fmt.Errorf("attach an empty program: %w", err), p.Detach())
		}
		p.on = append(p.on, l)
	}
	return nil
}

// Detach takes them off again.
func (p *Programs) Detach() error {
	var all []error
	for _, l := range p.on {
		all = append(all, l.Close())
	}
	p.on = nil
	return errors.Join(all...)
}

// Close detaches and unloads them.
func (p *Programs) Close() error { return errors.Join(p.Detach(), p.program.Close()) }
