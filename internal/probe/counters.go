// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/run"
)

// errNotRun says that the kernel answered and did nothing.
var errNotRun = errors.New("the kernel did not run the program")

// counters reads the bandwidth of many cgroups in one run of a program: to ask for a
// run costs several times what it does for one.
type counters struct {
	runner  run.Way
	program *ebpf.Program // nil where programs cannot be run
	memory  *ebpf.Memory  // of the map that both sides write to
	// most cgroups of one run.
	most int
	// run is the number of the latest one.
	run  uint64
	read []observerKgCounters
}

const counterSize = int(unsafe.Sizeof(observerKgCounters{}))

// batchOf is how many cgroups one run reads where there can be so many CPUs. The
// kernel does not let a run be preempted, and each cgroup's CPU time is a sum over
// all CPUs: a run is to be over within about 0.1 ms.
func batchOf(cpus uint32, room int) int {
	const cost = 1000 // in readings of one CPU's share, of which each cgroup's own are seven
	return max(1, min(room, cost/(7+int(cpus))))
}

func (c *counters) open(o *objects, cpus uint32) (err error) {
	of := o.loaded["counters"]
	if c.memory, err = of.Memory(); err != nil {
		return fmt.Errorf("map the counters of cgroups: %w", err)
	}
	room := int(of.MaxEntries())
	c.most, c.read = batchOf(cpus, room), make([]observerKgCounters, room)
	c.program, err = o.runs("read_counters", c.runner)
	return err
}

func (c *counters) close() error {
	if c.program == nil {
		return nil
	}
	return c.program.Close()
}

// batch reads as many as one run does.
func (c *counters) batch(of []event.CgroupRef, into []event.Reading) error {
	for i := range of {
		pointer := unsafe.Slice((*byte)(unsafe.Pointer(&of[i].Pointer)), unsafe.Sizeof(of[i].Pointer))
		if _, err := c.memory.WriteAt(pointer, int64(i*counterSize)); err != nil {
			return fmt.Errorf("say which cgroups to read: %w", err)
		}
	}
	c.run++
	if err := c.runner.Run(c.program, uint64(len(of)), c.run); err != nil {
		return explain("read cgroups", err)
	}
	// Copied as it lies there, which costs a twentieth of decoding it by its type.
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(c.read))), len(of)*counterSize)
	if _, err := c.memory.ReadAt(raw, 0); err != nil {
		return fmt.Errorf("read the counters of cgroups: %w", err)
	}
	for i, ref := range of {
		if c.read[i].Run != c.run {
			return errNotRun
		}
		group(&c.read[i], ref.ID, &into[i])
	}
	return nil
}

// group takes what was read of the cgroup with that id.
func group(c *observerKgCounters, id uint64, into *event.Reading) {
	if c.Id != id || c.HasCpu == 0 || c.Removed != 0 {
		*into = event.Reading{Err: ErrGone}
		return
	}
	*into = event.Reading{Group: event.Group{
		Cgroup:        id,
		Time:          c.TimeNs, // read by the program itself
		Period:        c.PeriodNs,
		Periods:       c.Periods,
		Throttled:     c.Throttled,
		ThrottledTime: c.ThrottledNs,
		Usage:         c.UsageNs,
		Burst:         c.BurstNs,
		Expires:       c.ExpiresNs,
		Shares:        c.Shares >> loadShift,
		Jiffies:       c.Jiffies,
	}}
	if c.QuotaNs != math.MaxUint64 { // RUNTIME_INF, kernel/sched/sched.h
		into.Group.Quota = c.QuotaNs
	}
}

// ReadGroups reads CPU bandwidth and usage of cgroups; what came of each is at its own
// place in into, which has as many. A cgroup with whose id there is none at its pointer
// (any more) is ErrGone.
func (p *Probe) ReadGroups(of []event.CgroupRef, into []event.Reading) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(of) > 0 {
		n, err := len(of), ErrNoTestRun
		if p.counters.program != nil {
			n = min(n, p.counters.most)
			err = p.counters.batch(of[:n], into[:n])
		}
		for i := range n {
			if err != nil {
				into[i] = event.Reading{Err: err}
			}
		}
		of, into = of[n:], into[n:]
	}
}

// ReadGroup reads a cgroup's CPU bandwidth and usage. It fails with ErrGone if
// the cgroup with that id is no longer at the pointer.
func (p *Probe) ReadGroup(id, pointer uint64) (event.Group, error) {
	var read [1]event.Reading
	p.ReadGroups([]event.CgroupRef{{ID: id, Pointer: pointer}}, read[:])
	return read[0].Group, read[0].Err
}
