// SPDX-License-Identifier: Apache-2.0

package bursts

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// findPreemptCount tells the programs where x86 counts nested interrupts: in the
// memory of each CPU, at a distance from its run queue that BTF knows. On kernels
// 6.2 to 6.14 it is a part of pcpu_hot. BTF of some 5.10 kernels lacks it; there
// /proc/kallsyms may tell, to those who may read addresses. Elsewhere than on x86 it
// is in the task itself.
func (l *Listener) findPreemptCount(spec *btf.Spec) error {
	if runtime.GOARCH != "amd64" {
		l.interrupts = true
		return nil
	}
	offset, found := preemptCountFromRunQueue(spec)
	if !found {
		offset, found = preemptCountBySymbols()
	}
	if err := l.objects.KgPreemptOffset.Set(offset); err != nil {
		return fmt.Errorf("set the place of the count of interrupts: %w", err)
	}
	l.interrupts = found
	return nil
}

// preemptCountBySymbols is for kernels up to 6.1, where each has a name of its own.
func preemptCountBySymbols() (int64, bool) {
	file, err := os.Open("/proc/kallsyms")
	if err != nil {
		return 0, false
	}
	defer func() { _ = file.Close() }()
	var count, queue int64
	for lines := bufio.NewScanner(file); lines.Scan() && (count == 0 || queue == 0); {
		address, name, _ := strings.Cut(lines.Text(), " ")
		if len(name) < 3 {
			continue
		}
		switch name[2:] {
		case "__preempt_count":
			count, _ = strconv.ParseInt(address, 16, 64)
		case "runqueues":
			queue, _ = strconv.ParseInt(address, 16, 64)
		}
	}
	return count - queue, count != 0 && queue != 0
}

func preemptCountFromRunQueue(spec *btf.Spec) (int64, bool) {
	var section *btf.Datasec
	if err := spec.TypeByName(".data..percpu", &section); err != nil {
		return 0, false
	}
	at := map[string]int64{}
	for _, v := range section.Vars {
		variable, ok := v.Type.(*btf.Var)
		if !ok {
			continue
		}
		switch variable.Name {
		case "runqueues", "__preempt_count":
			at[variable.Name] = int64(v.Offset)
		case "pcpu_hot":
			if offset, ok := memberOffset(variable.Type, "preempt_count"); ok {
				at["__preempt_count"] = int64(v.Offset) + offset
			}
		}
	}
	queue, ok := at["runqueues"]
	count, found := at["__preempt_count"]
	return count - queue, ok && found
}

// memberOffset finds a member, also in structs and unions without a name, in bytes.
func memberOffset(t btf.Type, name string) (int64, bool) {
	var members []btf.Member
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		if m.Name == name {
			return int64(m.Offset.Bytes()), true
		}
		if m.Name != "" {
			continue
		}
		if inner, ok := memberOffset(m.Type, name); ok {
			return int64(m.Offset.Bytes()) + inner, true
		}
	}
	return 0, false
}

// heldOneByOne says whether a quota holds threads (6.18 and later) or run queues.
func heldOneByOne(spec *btf.Spec) bool {
	var task *btf.Struct
	if err := spec.TypeByName("task_struct", &task); err != nil {
		return false
	}
	_, ok := memberOffset(task, "throttled")
	return ok
}

// findGroup finds the task group of a cgroup, an address in the kernel.
func (l *Listener) findGroup(cgroup uint64) (uint64, error) {
	const most = 1 << 10 // runs, of 256 groups each
	next := uint64(0)
	for range most {
		if err := l.way.Run(l.objects.FindGroup, cgroup, next); err != nil {
			return 0, probe.Explain("find a cgroup", err)
		}
		var found uint64
		if err := errors.Join(l.objects.KgFound.Get(&found), l.objects.KgNext.Get(&next)); err != nil {
			return 0, fmt.Errorf("find a cgroup: %w", err)
		}
		if found != 0 {
			return found, nil
		}
		if next == 0 {
			break
		}
	}
	return 0, fmt.Errorf("%w: %d", ErrUnknown, cgroup)
}

// pulse looks at what runs on each CPU now. A CPU that is offline runs nothing.
func (l *Listener) pulse(flush bool) error {
	arg := uint64(0)
	if flush {
		arg = 1
	}
	ran := 0
	var last error
	for cpu := range l.cpus {
		if err := l.way.RunOn(cpu, l.objects.BurstPulse, arg); err != nil {
			last = err
			continue
		}
		ran++
	}
	if ran == 0 && last != nil {
		return probe.Explain("look at what runs", last)
	}
	return nil
}
