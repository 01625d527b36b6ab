// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	actorOwn      = 0
	actorWorkload = 1
)

// Counts reads the counters of a session. A session that the kernel does not
// know has none.
func (p *Probe) Counts(session uint64) (event.SessionCounts, error) {
	own, err := p.counts(session, actorOwn)
	if err != nil {
		return event.SessionCounts{}, err
	}
	workload, err := p.counts(session, actorWorkload)
	return event.SessionCounts{Own: own, Workload: workload}, err
}

func (p *Probe) counts(session uint64, actor uint32) (event.Counts, error) {
	var slot uint32
	var s observerKgSession
	err := p.objects.Sessions.Lookup(observerKgSessionKey{Session: session, Actor: actor}, &slot)
	if err == nil {
		err = p.objects.Slots.Lookup(slot, &s)
	}
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return event.Counts{}, nil
	}
	if err != nil {
		return event.Counts{}, fmt.Errorf("read session counts: %w", err)
	}
	c := event.Counts{
		Syscalls:   map[int]uint64{},
		Processes:  s.Processes,
		Threads:    s.Threads,
		Execs:      s.Execs,
		CPU:        s.CpuNs,
		Mounts:     s.Mounts,
		FirstMount: s.FirstMountNs,
		LastMount:  s.LastMountNs,

		CgroupWrites: s.CgroupWrites, NetDevices: s.Netdevs, NetfilterRules: s.NetfilterRules,
		Stretches: s.Stretches, Untold: s.Untold,
	}
	for nr, n := range s.Syscalls {
		if n > 0 {
			c.Syscalls[nr] = n
		}
	}
	return c, nil
}

// Sessions lists the sessions that the kernel counts for, with the time at which
// they were opened (the clock of events, ns, rounded down to 1.024 µs): it is
// part of the id, see bpf/process.h.
func (p *Probe) Sessions() (map[uint64]uint64, error) {
	const cpuBits = 1<<10 - 1
	opened := map[uint64]uint64{}
	var key observerKgSessionKey
	err := p.objects.Sessions.NextKey(nil, &key)
	// Bounded: a removal meanwhile leads the walk back to its start.
	for steps := p.objects.Sessions.MaxEntries(); err == nil && steps > 0; steps-- {
		opened[key.Session] = key.Session &^ cpuBits
		last := key
		err = p.objects.Sessions.NextKey(&last, &key)
	}
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return opened, nil
}

// Forget ends a session: its members are heard no more.
func (p *Probe) Forget(session uint64) error {
	for _, actor := range []uint32{actorOwn, actorWorkload} {
		if err := p.forget(session, actor); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("forget a session: %w", err)
		}
	}
	return nil
}

// forget takes a slot back. It is nobody's before another session may have it.
func (p *Probe) forget(session uint64, actor uint32) error {
	key := observerKgSessionKey{Session: session, Actor: actor}
	var slot uint32
	if err := p.objects.Sessions.Lookup(key, &slot); err != nil {
		return err
	}
	if err := p.objects.Sessions.Delete(key); err != nil {
		return err
	}
	if err := p.objects.Slots.Put(slot, &observerKgSession{}); err != nil {
		return err
	}
	return p.objects.FreeSlots.Put(nil, slot)
}

// fillSlots makes all slots free.
func (p *Probe) fillSlots() error {
	for slot := range p.objects.FreeSlots.MaxEntries() {
		if err := p.objects.FreeSlots.Put(nil, slot); err != nil {
			return fmt.Errorf("make room for sessions: %w", err)
		}
	}
	return nil
}
