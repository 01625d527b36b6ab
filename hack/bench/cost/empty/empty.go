// SPDX-License-Identifier: Apache-2.0

// Package empty has programs that do nothing, on the exit of every system call of the
// machine, or on its entry as well: what the kernel itself takes for letting anybody listen.
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

// Program is the one that is attached, on the entry and on the exit the same.
func (p *Programs) Program() *ebpf.Program { return p.program }

// OnExit puts one on sys_exit, where the observer listens, and takes off what was attached.
func (p *Programs) OnExit() error { return p.attach("sys_exit") }

// OnBoth puts one on sys_enter and one on sys_exit, as most listeners to system calls do,
// and takes off what was attached.
func (p *Programs) OnBoth() error { return p.attach("sys_enter", "sys_exit") }

func (p *Programs) attach(names ...string) error {
	if err := p.Detach(); err != nil {
		return err
	}
	for _, name := range names {
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
