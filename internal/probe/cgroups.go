// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// ErrGone is event.ErrGone: a cgroup no longer exists.
var ErrGone = event.ErrGone

// ErrNoTestRun says that this kernel runs no programs for user space, by which
// cgroups would be read: the cgroup file system is the way.
var ErrNoTestRun = errors.New("this kernel does not run programs for user space (Linux 5.8)")

// loadShift is how the kernel scales weights on 64 bit (scale_load, kernel/sched/sched.h).
const loadShift = 10

// Visit is told of one cgroup of the cpu controller's hierarchy: its id, what
// identifies it to ReadGroup (a kernel address: neither stored nor shown), and
// its path from the hierarchy's root.
type Visit = func(id, pointer uint64, path string)

// readCgroup reads the cgroup at a kernel address; 0 is the root.
func (p *Probe) readCgroup(pointer uint64) (observerKgCgroupRecord, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cgroup == nil {
		return observerKgCgroupRecord{}, ErrNoTestRun
	}
	if err := p.counters.runner.Run(p.cgroup, pointer); err != nil {
		return observerKgCgroupRecord{}, explain("read a cgroup", err)
	}
	memory, err := p.objects.CgroupRecord.Memory()
	if err != nil {
		return observerKgCgroupRecord{}, fmt.Errorf("map the cgroup record: %w", err)
	}
	var raw [unsafe.Sizeof(observerKgCgroupRecord{})]byte
	if _, err := memory.ReadAt(raw[:], 0); err != nil {
		return observerKgCgroupRecord{}, fmt.Errorf("read the cgroup record: %w", err)
	}
	return *(*observerKgCgroupRecord)(unsafe.Pointer(&raw)), nil
}

// Walk tells every cgroup of the cpu controller's hierarchy, parents first, but those
// that were removed and are still referred to (by page cache, say). It follows the
// kernel's own lists, one step per call, and so races with the making and removing
// of cgroups: at an entry that does not fit its parent, that parent's list is begun
// anew, and what is in it told twice. Where that is no use either it goes on with
// the others, and fails with event.ErrIncomplete at the end. Attach first, then
// walk: what is made meanwhile is told as an event.
func (p *Probe) Walk(visit Visit) error {
	w := walker{read: p.readCgroup, visit: visit}
	return w.all()
}

// Locate finds a cgroup of the cpu controller's hierarchy by its path from the
// hierarchy's root. It fails with ErrGone if there is none, and with ErrNoTestRun.
func (p *Probe) Locate(name string) (id, pointer uint64, err error) {
	at, err := p.readCgroup(0)
	for part := range strings.SplitSeq(strings.Trim(path.Clean("/"+name), "/"), "/") {
		if err != nil {
			return 0, 0, err
		}
		if part != "" {
			at, err = p.child(&at, part)
		}
	}
	return at.Id, at.Pointer, err
}

// child finds one by its name.
func (p *Probe) child(of *observerKgCgroupRecord, name string) (observerKgCgroupRecord, error) {
	for next := of.FirstChild; next != 0; {
		child, err := p.readCgroup(next)
		if err != nil {
			return child, err
		}
		if child.Parent != of.Pointer || child.Hierarchy != of.Hierarchy || child.Id == 0 {
			break
		}
		if child.Removed == 0 && text(child.Name[:]) == name {
			return child, nil
		}
		next = child.NextSibling
	}
	return observerKgCgroupRecord{}, ErrGone
}

const procSelfCgroup = "/proc/self/cgroup"

// hierarchyOf reads the number of the cpu controller's hierarchy, 0 for that of
// cgroup v2, which has no line of its own for each controller (cgroups(7)).
func hierarchyOf(file string) (uint32, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("find the hierarchy of the cpu controller: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) != 3 || !slices.Contains(strings.Split(fields[1], ","), "cpu") {
			continue
		}
		n, err := strconv.ParseUint(fields[0], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("find the hierarchy of the cpu controller: %w", err)
		}
		return uint32(n), nil
	}
	return 0, nil
}
