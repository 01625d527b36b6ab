// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroupfs"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// mixed hears with BPF, and by the cgroup file system what BPF does not tell here.
type mixed struct {
	*probe.Probe
	tree *cgroupfs.Tree
	// watches are the events of cgroups that the tree tells.
	watches map[event.Kind]bool
	// bandwidth is how it is read.
	bandwidth hooks.Way
}

func (m *mixed) watching() bool { return m.watches[event.CgroupMkdir] || m.watches[event.CgroupRmdir] }

// Walk tells every cgroup. Those that are made meanwhile are told as events,
// whoever hears them.
func (m *mixed) Walk(visit probe.Visit) error {
	if !m.bandwidth.Run() {
		return m.tree.Walk(visit)
	}
	// What the tree could not read BPF finds.
	if err := m.tree.Walk(func(uint64, uint64, string) {}); err != nil && !errors.Is(err, event.ErrIncomplete) {
		return err
	}
	return m.Probe.Walk(visit)
}

// ReadGroup reads by the kernel's address of a cgroup, where that is known.
func (m *mixed) ReadGroup(id, pointer uint64) (event.Group, error) {
	if m.bandwidth == hooks.Files || pointer == 0 {
		return m.tree.ReadGroup(id, 0)
	}
	return m.Probe.ReadGroup(id, pointer)
}

// ReadGroups reads with BPF, all at once, what ReadGroup reads with it.
func (m *mixed) ReadGroups(of []event.CgroupRef, into []event.Reading) {
	if m.bandwidth == hooks.Files {
		event.ReadEach(of, into, m.tree.ReadGroup)
		return
	}
	m.Probe.ReadGroups(of, into)
	for i, ref := range of {
		if ref.Pointer == 0 {
			into[i].Group, into[i].Err = m.tree.ReadGroup(ref.ID, 0)
		}
	}
}

// Arm begins to hear system calls, and looks for cgroups more often.
func (m *mixed) Arm() (uint64, error) {
	m.tree.Hurry(true)
	return m.Probe.Arm()
}

// Disarm is the end of that.
func (m *mixed) Disarm() error {
	m.tree.Hurry(false)
	return m.Probe.Disarm()
}

// Lost adds up both losses.
func (m *mixed) Lost() (event.Loss, error) {
	loss, err := m.Probe.Lost()
	loss.Overflows += m.tree.Overflows()
	return loss, err
}

func (m *mixed) read(ctx context.Context, tell func(event.Event)) error {
	group, ctx := errgroup.WithContext(ctx)
	if m.watching() {
		group.Go(func() error {
			return m.tree.Read(ctx, func(e event.Event) {
				if m.watches[e.Kind] {
					tell(e)
				}
			})
		})
	}
	group.Go(func() error {
		return m.Read(ctx, func(e event.Event) {
			m.prepare(e)
			tell(e)
		})
	})
	return group.Wait()
}

// prepare makes sure that both know what an event is about. A process that begins
// to make a container, or joins its cgroup, does so after the cgroup was made: it
// must not be heard before.
func (m *mixed) prepare(e event.Event) {
	switch e.Kind {
	case event.SessionOpen, event.CgroupJoin, event.NetnsBind, event.Mount:
		if m.watches[event.CgroupMkdir] {
			m.tree.Sync(e.Time)
		}
	case event.CgroupMkdir:
		if !m.watching() {
			m.tree.Learn(e.Cgroup, e.Path)
		}
	case event.CgroupRmdir:
		if !m.watching() {
			m.tree.Forget(e.Cgroup)
		}
	}
}

// unread is a kernel whose bandwidth nobody reads. Nor does anybody walk where BPF
// alone would.
type unread struct {
	observer.Kernel
	walks bool
}

// Walk tells what the cgroup file system shows. Where that is not there it fails with
// event.ErrUnread: nothing is known of what was not heard of.
func (u unread) Walk(visit func(id, pointer uint64, path string)) error {
	if !u.walks {
		return fmt.Errorf("cgroups: %w", event.ErrUnread)
	}
	return u.Kernel.Walk(visit)
}

// ReadGroup always fails with event.ErrUnread.
func (u unread) ReadGroup(uint64, uint64) (event.Group, error) {
	return event.Group{}, fmt.Errorf("bandwidth: %w", event.ErrUnread)
}
