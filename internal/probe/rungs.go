// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// stand is a hook that programs are attached for.
type stand struct {
	hook   hooks.Hook
	name   string // of the program, in every object; of a perf tracepoint's with recordSuffix
	group  string // of the perf tracepoint, if there is such a rung
	births bool   // attached only while a birth is under way
}

const recordSuffix = "_record"

// stands are all of them. Who joins a cgroup comes first: where nobody tells it, the
// programs of the others are to infer it.
var stands = []stand{
	{hook: hooks.CgroupAttach, name: "cgroup_attach_task"},
	{hook: hooks.CgroupMkdir, name: "cgroup_mkdir", group: "cgroup"},
	{hook: hooks.CgroupRmdir, name: "cgroup_rmdir", group: "cgroup"},
	{hook: hooks.Fork, name: "process_fork"},
	{hook: hooks.Exec, name: "process_exec", group: "sched"},
	{hook: hooks.Exit, name: "process_exit", group: "sched"},
	{hook: hooks.MarkVictim, name: "mark_victim", group: "oom"},
	{hook: hooks.SysExit, name: "sys_exit", group: "raw_syscalls", births: true},
	{hook: hooks.SocketState, name: "socket_state", group: "sock", births: true},
	{hook: hooks.Switch, name: "sched_switch", group: "sched", births: true},
	{hook: hooks.Wakeup, name: "sched_wakeup", group: "sched", births: true},
}

// standing is a hook whose program is loaded.
type standing struct {
	stand
	way     hooks.Way
	program *ebpf.Program
	link    io.Closer // nil while it is not attached
}

func (s *standing) attach() error {
	if s.link != nil {
		return nil
	}
	var err error
	switch s.way {
	case hooks.Typed:
		s.link, err = attachTyped(s.program)
	case hooks.Raw:
		s.link, err = attachRaw(string(s.hook), s.program)
	case hooks.Tracepoint:
		s.link, err = attachRecord(s.group, string(s.hook), s.program)
	}
	if err != nil {
		return explain(fmt.Sprintf("attach %s/%s", s.way, s.hook), err)
	}
	return nil
}

func (s *standing) detach() error {
	if s.link == nil {
		return nil
	}
	err := s.link.Close()
	s.link = nil
	return err
}

func (s *standing) close() error { return errors.Join(s.detach(), s.program.Close()) }

// The three give no typed nil in an io.Closer.

func attachTyped(prog *ebpf.Program) (io.Closer, error) {
	l, err := link.AttachTracing(link.TracingOptions{Program: prog})
	if err != nil {
		return nil, err
	}
	return l, nil
}

func attachRaw(name string, prog *ebpf.Program) (io.Closer, error) {
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: name, Program: prog})
	if err != nil {
		return nil, err
	}
	return l, nil
}

func attachRecord(group, name string, prog *ebpf.Program) (io.Closer, error) {
	l, err := link.Tracepoint(group, name, prog, nil)
	if err != nil {
		return nil, err
	}
	return l, nil
}
