// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"bytes"
	"fmt"
	"strings"
	"unsafe"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Kinds by number, as enum kg_kind in bpf/gossip.h.
var kinds = [...]event.Kind{
	1:  event.CgroupMkdir,
	2:  event.CgroupRmdir,
	3:  event.CgroupJoin,
	4:  event.SessionOpen,
	5:  event.Exec,
	6:  event.Exit,
	7:  event.Namespaces,
	8:  event.NetnsBind,
	9:  event.PivotRoot,
	10: event.Listen,
	11: event.Accept,
	12: event.ExecFailed,
	13: event.Mount,
	14: event.Setns,
	15: event.Seccomp,
	16: event.Linked,
	17: event.LookupFailed,
	18: event.OutOfMemory,
	19: event.OffCPU,
	20: event.CgroupWrite,
	21: event.NetDevice,
	22: event.Netfilter,
}

// Roles by number, as enum kg_role in bpf/gossip.h.
var roleNames = [...]event.Role{
	1: event.RoleShim,
	2: event.RoleRuntime,
	3: event.RoleMonitor,
	4: event.RoleCNI,
}

// as views raw bytes as an event's layout; the ring aligns samples to 8 bytes.
func as[T any](raw []byte) (*T, error) {
	var t T
	if len(raw) < int(unsafe.Sizeof(t)) {
		return nil, fmt.Errorf("decode an event: %d bytes where %d were expected", len(raw), unsafe.Sizeof(t))
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(raw))), nil
}

// decoder turns what the programs sent into events.
type decoder struct {
	// stretches are not used yet: there are thousands in a birth, of which none is kept.
	stretches []event.Stretch
}

// stretchesMade are made at once.
const stretchesMade = 128

func (d *decoder) stretch() *event.Stretch {
	if len(d.stretches) == 0 {
		d.stretches = make([]event.Stretch, stretchesMade)
	}
	next := &d.stretches[0]
	d.stretches = d.stretches[1:]
	return next
}

func (d *decoder) decode(raw []byte) (event.Event, error) {
	h, err := as[observerKgHeader](raw)
	if err != nil {
		return event.Event{}, err
	}
	if int(h.Kind) >= len(kinds) || kinds[h.Kind] == "" {
		return event.Event{}, fmt.Errorf("decode an event: unknown kind %d", h.Kind)
	}
	e := event.Event{
		Kind:     kinds[h.Kind],
		Time:     h.TimeNs,
		Session:  h.Session,
		Workload: h.Actor == actorWorkload,
		Cgroup:   h.Cgroup,
		PID:      h.Pid,
		TID:      h.Tid,
		MountNS:  h.MntNs,
	}
	switch e.Kind {
	case event.CgroupMkdir, event.CgroupRmdir:
		err = decodeCgroup(&e, raw)
	case event.SessionOpen:
		err = decodeOpen(&e, raw)
	case event.Exec, event.ExecFailed, event.LookupFailed, event.CgroupWrite:
		err = decodeFile(&e, raw)
	case event.Mount:
		err = decodePath(&e, raw)
	case event.OffCPU:
		err = d.decodeStretch(&e, raw)
	default:
		err = decodeValue(&e, raw)
	}
	return e, err
}

func decodeCgroup(e *event.Event, raw []byte) error {
	c, err := as[observerKgCgroupEvent](raw)
	if err != nil {
		return err
	}
	e.Pointer = c.Pointer
	e.Path = text(c.Path[:])
	return nil
}

func decodeFile(e *event.Event, raw []byte) error {
	f, err := as[observerKgFileEvent](raw)
	if err != nil {
		return err
	}
	e.File = text(f.Filename[:])
	e.Value = f.Value
	return nil
}

// decodePath takes the target of a mount. A network namespace's name is a kind
// of its own: by it the namespace finds its pod.
func decodePath(e *event.Event, raw []byte) error {
	p, err := as[observerKgPathEvent](raw)
	if err != nil {
		return err
	}
	e.Path = text(p.Path[:])
	if strings.HasPrefix(e.Path, "/var/run/netns/") || strings.HasPrefix(e.Path, "/run/netns/") {
		e.Kind, e.File, e.Path = event.NetnsBind, e.Path, ""
	}
	return nil
}

// Bits of enum kg_stretch_state in bpf/gossip.h.
const (
	stretchRunnable = 1 << iota
	stretchIOWait
	stretchUninterruptible
	stretchLast
)

func (d *decoder) decodeStretch(e *event.Event, raw []byte) error {
	s, err := as[observerKgStretchEvent](raw)
	if err != nil {
		return err
	}
	e.Stretch = d.stretch()
	*e.Stretch = event.Stretch{
		Woken: s.WokenNs, On: s.OnNs, Syscall: s.Nr,
		Runnable:        s.State&stretchRunnable != 0,
		IOWait:          s.State&stretchIOWait != 0,
		Uninterruptible: s.State&stretchUninterruptible != 0,
		Last:            s.State&stretchLast != 0,
	}
	return nil
}

func decodeValue(e *event.Event, raw []byte) error {
	v, err := as[observerKgValueEvent](raw)
	if err != nil {
		return err
	}
	e.Value = v.Value
	e.CPU = v.CpuNs
	return nil
}

func decodeOpen(e *event.Event, raw []byte) error {
	o, err := as[observerKgOpenEvent](raw)
	if err != nil {
		return err
	}
	if int(o.Role) >= len(roleNames) {
		return fmt.Errorf("decode an event: unknown role %d", o.Role)
	}
	e.File = text(o.Filename[:])
	e.Open = &event.Open{Role: roleNames[o.Role], Parent: o.Parent}
	if e.Open.Role == event.RoleCNI {
		e.Open.CNI = &event.CNI{
			Command:     text(o.CniCommand[:]),
			ContainerID: text(o.CniId[:]),
			Netns:       text(o.CniNetns[:]),
			Args:        text(o.Args[:]),
		}
		return nil
	}
	n := min(int(o.ArgsLen), len(o.Args))
	e.Open.Args = strings.Split(strings.TrimRight(string(bytesOf(o.Args[:n])), "\x00"), "\x00")
	return nil
}

func bytesOf(s []int8) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

// text is the string up to the first zero.
func text(s []int8) string {
	b := bytesOf(s)
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return strings.ToValidUTF8(string(b), "�")
}
