// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"fmt"
	"maps"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/run"
)

// Data sections, by the names that they have as maps.
const (
	constants = ".rodata"
	settings  = ".data.settings"
)

// objects are the compiled forms of the programs, and what is loaded of them: one set
// of maps, which programs of every form share, as they find them by their names.
type objects struct {
	typed, raw *ebpf.CollectionSpec
	specs      map[string]*ebpf.MapSpec
	loaded     map[string]*ebpf.Map
	observerMaps
	cache *btf.Cache
	types *btf.Spec // nil: the kernel's own
}

// open reads the objects and makes the maps, without the constants.
func (o *objects) open(events, bandwidth hooks.Way) error {
	var err error
	if events == hooks.PerfBuffer {
		// Typed programs there are only for the ring.
		o.raw, err = loadObserverOld()
	} else {
		o.raw, err = loadObserverRaw()
	}
	if err == nil {
		o.typed, err = loadObserver()
	}
	if err != nil {
		return fmt.Errorf("read the BPF objects: %w", err)
	}
	o.specs, o.loaded = o.raw.Maps, map[string]*ebpf.Map{}
	if !bandwidth.Run() { // its memory is not looked at, and mapping it needs 5.5
		o.specs["cgroup_record"].Flags, o.specs["counters"].Flags = 0, 0
	}
	first := maps.Clone(o.specs)
	delete(first, constants)
	if err := o.make(&ebpf.CollectionSpec{Maps: first}); err != nil {
		return err
	}
	for name, to := range map[string]**ebpf.Map{
		"blank_session": &o.BlankSession, "cgroup_record": &o.CgroupRecord, "desk": &o.Desk, "events": &o.Events,
		"lost": &o.Lost, "members": &o.Members, "roles": &o.Roles, "sessions": &o.Sessions, "slots": &o.Slots,
		"free_slots": &o.FreeSlots,
	} {
		*to = o.loaded[name]
	}
	return nil
}

// setConstants makes the map that the verifier knows the contents of.
func (o *objects) setConstants(infers bool) error {
	value := uint32(0)
	if infers {
		value = 1
	}
	variable := o.raw.Variables["kg_infers"]
	if err := variable.Set(value); err != nil {
		return fmt.Errorf("set the constants of the programs: %w", err)
	}
	return o.make(&ebpf.CollectionSpec{
		Maps:      map[string]*ebpf.MapSpec{constants: o.specs[constants]},
		Variables: map[string]*ebpf.VariableSpec{"kg_infers": variable},
	})
}

func (o *objects) make(spec *ebpf.CollectionSpec) error {
	made, err := ebpf.NewCollection(spec)
	if err != nil {
		return err
	}
	maps.Copy(o.loaded, made.Maps)
	return nil
}

// program loads one program in the form of its rung.
func (o *objects) program(name string, way hooks.Way) (*ebpf.Program, error) {
	from := o.raw
	if way == hooks.Typed {
		from = o.typed
	}
	if way == hooks.Tracepoint {
		name += recordSuffix
	}
	return o.load(name, from, run.Way{})
}

// runs loads one program that user space runs.
func (o *objects) runs(name string, r run.Way) (*ebpf.Program, error) { return o.load(name, o.raw, r) }

func (o *objects) load(name string, from *ebpf.CollectionSpec, r run.Way) (*ebpf.Program, error) {
	spec := from.Programs[name]
	if spec == nil {
		return nil, fmt.Errorf("the object has no program %s", name)
	}
	spec, err := r.Spec(spec)
	if err != nil {
		return nil, err
	}
	of := map[string]*ebpf.MapSpec{}
	for name := range o.loaded {
		of[name] = o.specs[name]
	}
	made, err := ebpf.NewCollectionWithOptions(
		&ebpf.CollectionSpec{Maps: of, Programs: map[string]*ebpf.ProgramSpec{name: spec}, Types: from.Types, ByteOrder: from.ByteOrder},
		ebpf.CollectionOptions{MapReplacements: o.loaded, Cache: o.cache, Programs: ebpf.ProgramOptions{KernelTypes: o.types}},
	)
	if err != nil {
		return nil, err
	}
	prog := made.DetachProgram(name)
	made.Close()
	return prog, nil
}

// forget lets go of what only loading needs: the kernel's types are megabytes.
func (o *objects) forget() { o.typed, o.raw, o.specs, o.cache, o.types = nil, nil, nil, nil, nil }

// set hands the settings to the programs.
func (o *objects) set(s *observerKgSettings) error {
	if err := o.loaded[settings].Put(uint32(0), s); err != nil {
		return fmt.Errorf("set what the programs are to know: %w", err)
	}
	return nil
}

func (o *objects) close() error {
	var errs []error
	for _, m := range o.loaded {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
