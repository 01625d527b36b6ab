// SPDX-License-Identifier: Apache-2.0

// Package probe is the kernel's side of the observer: it loads the programs of
// bpf/, attaches them, and turns what they say into plain values. It is the
// only importer of the eBPF library.
package probe

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Programs of a runtime whose exec opens a birth session, by base name. CNI
// plugins have no fixed names; they are known by their environment.
var defaultRoles = map[string]event.Role{
	"containerd-shim":          event.RoleShim,
	"containerd-shim-runc-v1":  event.RoleShim,
	"containerd-shim-runc-v2":  event.RoleShim,
	"containerd-shim-kata-v2":  event.RoleShim,
	"containerd-shim-runsc-v1": event.RoleShim,
	"runc":                     event.RoleRuntime,
	"crun":                     event.RoleRuntime,
	"youki":                    event.RoleRuntime,
	"runsc":                    event.RoleRuntime,
	"sysbox-runc":              event.RoleRuntime,
	"nvidia-container-runtime": event.RoleRuntime,
	"conmon":                   event.RoleMonitor,
	"conmonrs":                 event.RoleMonitor,
}

// Options of Load.
type Options struct {
	// Runtimes adds programs that act like runc, by base name (at most 31 bytes each).
	Runtimes []string
}

// Probe is the loaded set of programs. Its methods may be called from several
// goroutines.
type Probe struct {
	objects observerObjects
	reader  *ringbuf.Reader
	always  []io.Closer

	mu      sync.Mutex // guards what follows, and the cgroup record
	address [1]uint64  // what read_cgroup is asked for
	armed   []io.Closer
	armedAt uint64
}

// Load loads the programs and attaches those that are always on. The error is
// one line that says what to do, see Explain.
func Load(opts Options) (*Probe, error) {
	// Needed up to 5.10 only, where maps count against the locked-memory limit;
	// later kernels charge the memory cgroup. A refusal shows when a map is made.
	limited := rlimit.RemoveMemlock()

	p := &Probe{}
	if err := loadObserverObjects(&p.objects, nil); err != nil {
		return nil, explainLoad(err, limited)
	}
	if err := p.start(opts); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Probe) start(opts Options) error {
	if err := p.setRoles(opts.Runtimes); err != nil {
		return err
	}
	if err := p.setGlobals(); err != nil {
		return err
	}
	for _, prog := range p.alwaysOn() {
		l, err := attach(prog)
		if err != nil {
			return err
		}
		p.always = append(p.always, l)
	}
	reader, err := ringbuf.NewReader(p.objects.Events)
	if err != nil {
		return fmt.Errorf("open the event ring: %w", err)
	}
	p.reader = reader
	return nil
}

func attach(prog *ebpf.Program) (io.Closer, error) {
	if prog.Type() == ebpf.RawTracepoint {
		return attachRaw(prog)
	}
	l, err := link.AttachTracing(link.TracingOptions{Program: prog})
	if err != nil {
		return nil, explain("attach "+prog.String(), err)
	}
	return l, nil
}

// attachRaw attaches a program whose arguments differ between kernels too much
// for typed ones; its tracepoint has the program's name.
func attachRaw(prog *ebpf.Program) (io.Closer, error) {
	info, err := prog.Info()
	if err != nil {
		return nil, fmt.Errorf("read the name of %s: %w", prog, err)
	}
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: info.Name, Program: prog})
	if err != nil {
		return nil, explain("attach "+prog.String(), err)
	}
	return l, nil
}

func (p *Probe) setRoles(runtimes []string) error {
	numbers := map[event.Role]uint32{event.RoleShim: 1, event.RoleRuntime: 2, event.RoleMonitor: 3}
	put := func(name string, role event.Role) error {
		var key [32]byte
		if len(name) >= len(key) {
			return fmt.Errorf("runtime name %q: at most %d bytes", name, len(key)-1)
		}
		copy(key[:], name)
		if err := p.objects.Roles.Put(key, numbers[role]); err != nil {
			return fmt.Errorf("set role of %s: %w", name, err)
		}
		return nil
	}
	for name, role := range defaultRoles {
		if err := put(name, role); err != nil {
			return err
		}
	}
	for _, name := range runtimes {
		if err := put(name, event.RoleRuntime); err != nil {
			return err
		}
	}
	return nil
}

// setGlobals tells the programs how many CPUs there can be and which hierarchy
// the cpu controller is in.
func (p *Probe) setGlobals() error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count CPUs: %w", err)
	}
	if err := p.objects.KgCpus.Set(uint32(cpus)); err != nil {
		return fmt.Errorf("set the number of CPUs: %w", err)
	}
	root, err := p.readCgroup(0)
	if err != nil {
		return err
	}
	if err := p.objects.KgHierarchy.Set(root.Hierarchy); err != nil {
		return fmt.Errorf("set the cgroup hierarchy: %w", err)
	}
	return nil
}

// Arm attaches the programs that are heard only during births: system calls
// and listening sockets. It returns the time from which all of them are heard.
// Arming what is armed changes nothing.
func (p *Probe) Arm() (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.armed) > 0 {
		return p.armedAt, nil
	}
	for _, prog := range p.duringBirths() {
		l, err := attach(prog)
		if err != nil {
			return 0, errors.Join(err, p.disarm())
		}
		p.armed = append(p.armed, l)
	}
	if err := p.objects.KgArmed.Set(uint32(1)); err != nil {
		return 0, errors.Join(fmt.Errorf("tell the programs that a birth is under way: %w", err), p.disarm())
	}
	p.armedAt = Now()
	return p.armedAt, nil
}

// Disarm detaches what Arm attached.
func (p *Probe) Disarm() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.disarm()
}

func (p *Probe) disarm() error {
	var told error
	if len(p.armed) > 0 {
		told = p.objects.KgArmed.Set(uint32(0))
	}
	err := errors.Join(told, closeAll(p.armed))
	p.armed = nil
	return err
}

// Close detaches and unloads everything. Nothing of the observer stays in the
// kernel: it pins no program, map or link.
func (p *Probe) Close() error {
	errs := []error{p.Disarm(), closeAll(p.always)}
	if p.reader != nil {
		errs = append(errs, p.reader.Close())
	}
	return errors.Join(append(errs, p.objects.Close())...)
}

func closeAll(closers []io.Closer) error {
	var errs []error
	for _, c := range closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Lost tells what did not reach user space since Load.
func (p *Probe) Lost() (event.Loss, error) {
	var n [3]uint64
	for i := range n {
		var perCPU []uint64
		if err := p.objects.Lost.Lookup(uint32(i), &perCPU); err != nil {
			return event.Loss{}, fmt.Errorf("read lost events: %w", err)
		}
		for _, v := range perCPU {
			n[i] += v
		}
	}
	skipped, err := p.skipped()
	return event.Loss{Events: n[0], Sessions: n[1], Members: n[2], Skipped: skipped}, err
}

// skipped is how often the kernel did not run a program because the same one was
// under way on that CPU; only kernels from 5.12 on count it.
func (p *Probe) skipped() (uint64, error) {
	var n uint64
	for _, prog := range append(p.alwaysOn(), p.duringBirths()...) {
		stats, err := prog.Stats()
		if err != nil {
			return 0, fmt.Errorf("read what %s missed: %w", prog, err)
		}
		n += stats.RecursionMisses
	}
	return n, nil
}

// alwaysOn are the programs that Load attaches.
func (p *Probe) alwaysOn() []*ebpf.Program {
	return []*ebpf.Program{
		p.objects.CgroupMkdir,
		p.objects.CgroupRmdir,
		p.objects.CgroupAttachTask,
		p.objects.ProcessFork,
		p.objects.ProcessExec,
		p.objects.ProcessExit,
		p.objects.MarkVictim,
	}
}

// duringBirths are the programs that Arm attaches.
func (p *Probe) duringBirths() []*ebpf.Program {
	return []*ebpf.Program{
		p.objects.SysEnter, p.objects.SysExit, p.objects.SocketState,
		p.objects.SchedSwitch, p.objects.SchedWakeup,
	}
}
