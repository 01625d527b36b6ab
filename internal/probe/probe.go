// SPDX-License-Identifier: Apache-2.0

// Package probe is the kernel's side of the observer: it loads the programs of
// bpf/, attaches them, and turns what they say into plain values. It is the
// only importer of the eBPF library.
package probe

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/run"
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
	// Without are rungs of the ladder that are not used.
	Without hooks.Without
	// BTF is a file with the kernel's types, for kernels that have none of their own.
	BTF string
}

// Probe is the loaded set of programs. Its methods may be called from several
// goroutines.
type Probe struct {
	objects objects
	offered *offered // nil when all is loaded
	without hooks.Without
	reader  reader
	stands  []*standing
	// cgroup reads cgroups; nil where programs cannot be run.
	cgroup *ebpf.Program

	mu       sync.Mutex // guards what follows, and the cgroup record
	counters counters
	failed   map[rung]string
	plan     hooks.Plan
	settings observerKgSettings
	armed    bool
	armedAt  uint64
}

// Load loads the programs that the plan names and attaches those that are always on.
// A hook of which a rung fails falls to the next one. The error is one line that says
// what to do, see Explain: nothing of BPF can be had.
func Load(opts Options) (*Probe, error) {
	// Needed up to 5.10 only, where maps count against the locked-memory limit;
	// later kernels charge the memory cgroup. A refusal shows when a map is made.
	limited := rlimit.RemoveMemlock()

	p := &Probe{offered: look(opts.BTF), without: opts.Without, failed: map[rung]string{}}
	p.choose()
	if err := p.hopeless(limited); err != nil {
		return nil, err
	}
	if err := p.start(opts, limited); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.objects.forget()
	p.offered = nil
	return p, nil
}

func (p *Probe) start(opts Options, limited error) error {
	if p.objects.cache = p.offered.cache; p.offered.foreign {
		p.objects.types = p.offered.types
	}
	if err := p.objects.open(p.plan.Way(hooks.Events), p.plan.Way(hooks.Bandwidth)); err != nil {
		return explainLoad(err, limited)
	}
	if err := errors.Join(p.setRoles(opts.Runtimes), p.fillSlots()); err != nil {
		return err
	}
	if err := p.prepare(); err != nil {
		return err
	}
	var err error
	if p.reader, err = openReader(p.objects.Events, p.plan.Way(hooks.Events)); err != nil {
		return err
	}
	return p.attachAll(limited)
}

// prepare makes ready what reads cgroups, and tells the programs how many CPUs there
// can be and which hierarchy the cpu controller is in.
func (p *Probe) prepare() error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count CPUs: %w", err)
	}
	p.settings.Cpus = uint32(cpus)
	if p.settings.Hierarchy, err = hierarchyOf(procSelfCgroup); err != nil {
		return err
	}
	if err := p.objects.set(&p.settings); err != nil {
		return err
	}
	if !p.plan.Way(hooks.Bandwidth).Run() {
		return nil
	}
	if err := p.setConstants(); err != nil {
		return err
	}
	for way := p.plan.Way(hooks.Bandwidth); way.Run(); way = p.plan.Way(hooks.Bandwidth) {
		err := p.runBy(way)
		if err == nil {
			break
		}
		p.fail(hooks.Bandwidth, way, explain("read a cgroup", err))
	}
	return nil
}

// runBy loads the programs that user space runs.
func (p *Probe) runBy(way hooks.Way) error {
	var err error
	p.counters.runner = run.By(way)
	if p.cgroup, err = p.objects.runs("read_cgroup", p.counters.runner); err != nil {
		return err
	}
	if _, err = p.readCgroup(0); err == nil {
		err = p.counters.open(&p.objects, p.settings.Cpus)
	}
	if err != nil {
		err = errors.Join(err, p.cgroup.Close())
		p.cgroup = nil
	}
	return err
}

// basenameLen is KG_BASENAME_LEN in bpf/gossip.h.
const basenameLen = 32

func (p *Probe) setRoles(runtimes []string) error {
	put := func(name string, role event.Role) error {
		var key [basenameLen]byte
		if len(name) >= len(key) {
			return fmt.Errorf("runtime name %q: at most %d bytes", name, len(key)-1)
		}
		copy(key[:], name)
		if err := p.objects.Roles.Put(key, uint32(slices.Index(roleNames[:], role))); err != nil {
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

// Arm attaches the programs that are heard only during births: system calls
// and listening sockets. It returns the time from which all of them are heard.
// Arming what is armed changes nothing.
func (p *Probe) Arm() (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.armed {
		return p.armedAt, nil
	}
	p.armed = true
	if err := p.attachBirths(); err != nil {
		return 0, errors.Join(err, p.disarm())
	}
	p.armedAt = Now()
	return p.armedAt, nil
}

// attachBirths attaches what is heard only during births. Other programs count the system
// calls that have no end of their own, and no others: they are told first.
func (p *Probe) attachBirths() error {
	var calls uint32
	if p.plan.Way(hooks.SysExit) != hooks.Off {
		calls = armedCalls
	}
	if err := p.tellArmed(calls); err != nil {
		return err
	}
	for _, s := range p.stands {
		if !s.births {
			continue
		}
		if err := s.attach(); err != nil {
			return err
		}
	}
	return errors.Join(p.tellArmed(calls|armedAll), p.reader.hurry(true))
}

// As enum kg_armed in bpf/gossip.h.
const (
	armedAll   = 1
	armedCalls = 2
)

func (p *Probe) tellArmed(armed uint32) error {
	p.settings.Armed = armed
	if err := p.objects.set(&p.settings); err != nil {
		return fmt.Errorf("tell the programs whether a birth is under way: %w", err)
	}
	return nil
}

// Disarm detaches what Arm attached.
func (p *Probe) Disarm() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.disarm()
}

func (p *Probe) disarm() error {
	if !p.armed {
		return nil
	}
	p.armed = false
	errs := []error{p.tellArmed(0), p.reader.hurry(false)}
	for _, s := range p.stands {
		if s.births {
			errs = append(errs, s.detach())
		}
	}
	return errors.Join(errs...)
}

// Close detaches and unloads everything. Nothing of the observer stays in the
// kernel: it pins no program, map or link.
func (p *Probe) Close() error {
	errs := []error{p.Disarm()}
	for _, s := range p.stands {
		errs = append(errs, s.close())
	}
	p.stands = nil
	if p.cgroup != nil {
		errs = append(errs, p.cgroup.Close())
	}
	errs = append(errs, p.counters.close())
	if p.reader != nil {
		errs = append(errs, p.reader.Close())
	}
	return errors.Join(append(errs, p.objects.close())...)
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
	for _, s := range p.stands {
		stats, err := s.program.Stats()
		if err != nil {
			return 0, fmt.Errorf("read what %s missed: %w", s.program, err)
		}
		n += stats.RecursionMisses
	}
	return n, nil
}
