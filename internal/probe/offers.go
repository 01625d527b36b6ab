// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/run"
)

// What a refusal says; short, as it stands in a table.
const (
	notPermitted = "not permitted: needs root, or CAP_BPF and CAP_PERFMON"
	noTracepoint = "this kernel has no such tracepoint"
)

// offered is what was found of the running kernel.
type offered struct {
	// types are those of the kernel; foreign ones are from a file.
	types   *btf.Spec
	cache   *btf.Cache // of the kernel's own
	foreign bool
	noTypes error // why there are none
	ways    map[hooks.Way]error
	// tracefs is where perf tracepoints are, empty if it is not mounted.
	tracefs string
	// listed: the types tell which tracepoints there are.
	listed bool
	// preempts: programs on raw tracepoints may be preempted.
	preempts bool
}

// Offers is what the running kernel offers, found without attaching anything. btf is
// a file with the kernel's types; empty: the kernel's own. Of the ways that are not BPF
// it knows nothing and offers all.
func Offers(btf string) hooks.Offer {
	return look(btf).offer(nil)
}

// look probes the running kernel. With a file, the kernel's own types are not looked at.
func look(btfFile string) *offered {
	o := &offered{foreign: btfFile != "", tracefs: findTracefs(), cache: btf.NewCache(), preempts: Preempts()}
	o.types, o.noTypes = findTypes(btfFile, o.cache)
	o.ways = map[hooks.Way]error{
		hooks.RingBuffer: features.HaveMapType(ebpf.RingBuf),
		hooks.PerfBuffer: features.HaveMapType(ebpf.PerfEventArray),
		hooks.Raw:        features.HaveProgramType(ebpf.RawTracepoint),
		hooks.Tracepoint: features.HaveProgramType(ebpf.TracePoint),
	}
	for _, way := range []hooks.Way{hooks.TestRun, hooks.Filter} {
		o.ways[way] = run.By(way).Works()
	}
	o.listed = o.types != nil && o.hasType("btf_trace_sched_switch")
	return o
}

// Preempts is true of a kernel that preempts programs on raw tracepoints: Linux 7, where
// include/linux/tracepoint.h no longer switches preemption off around them.
func Preempts() bool {
	const first = 7
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return false
	}
	major, _, _ := strings.Cut(unix.ByteSliceToString(name.Release[:]), ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= first
}

// findTypes reads the types of a file, or the kernel's own.
func findTypes(file string, cache *btf.Cache) (*btf.Spec, error) {
	if file != "" {
		types, err := btf.LoadSpec(file)
		if err != nil {
			return nil, fmt.Errorf("read the kernel's types from %s: %w", file, err)
		}
		return types, nil
	}
	if _, err := os.Stat(btfFile); err != nil {
		return nil, err
	}
	return cache.Kernel()
}

func findTracefs() string {
	for _, dir := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		if _, err := os.Stat(filepath.Join(dir, "events", "sched")); err == nil {
			return dir
		}
	}
	return ""
}

// offer tells what was found; failed is what did not hold what it promised.
func (o *offered) offer(failed map[rung]string) hooks.Offer {
	return hooks.Offer{BTFFile: o.foreign, Preempts: o.preempts, Refuses: func(h hooks.Hook, w hooks.Way) string {
		if why := failed[rung{h, w}]; why != "" {
			return why
		}
		if !w.BPF() {
			return ""
		}
		if o.types == nil {
			return o.withoutTypes()
		}
		return o.refuses(h, w)
	}}
}

// rung of a hook.
type rung struct {
	hook hooks.Hook
	way  hooks.Way
}

func (o *offered) withoutTypes() string {
	switch {
	case o.foreign:
		return "the BTF file cannot be used: " + o.noTypes.Error()
	case errors.Is(o.noTypes, fs.ErrNotExist):
		return "this kernel has no BTF (" + btfFile + "), and no file with it was named"
	}
	return "BTF: " + o.noTypes.Error()
}

func (o *offered) refuses(h hooks.Hook, w hooks.Way) string {
	switch w {
	case hooks.RingBuffer:
		return o.lacks(w, "this kernel has no ring buffer (Linux 5.8)")
	case hooks.PerfBuffer:
		return o.lacks(w, "this kernel has no perf buffer (Linux 4.4)")
	case hooks.TestRun:
		return o.lacks(w, "this kernel does not run raw tracepoints for user space (Linux 5.10)")
	case hooks.Filter:
		return o.lacks(w, "this kernel does not run programs for user space (Linux 5.8)")
	case hooks.Typed:
		return o.refusesTyped(h)
	case hooks.Raw:
		if why := o.lacks(w, "this kernel has no raw tracepoints (Linux 4.17)"); why != "" {
			return why
		}
		if o.listed && !o.hasTracepoint(string(h)) {
			return noTracepoint
		}
	case hooks.Tracepoint:
		return o.refusesRecord(h)
	}
	return ""
}

func (o *offered) lacks(w hooks.Way, what string) string {
	err := o.ways[w]
	switch {
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrPermission): // EPERM and EACCES
		return notPermitted
	}
	return what
}

func (o *offered) refusesTyped(h hooks.Hook) string {
	if o.foreign {
		return "the types are those of a file: the kernel must know them itself"
	}
	if why := o.lacks(hooks.Raw, "this kernel has no raw tracepoints (Linux 4.17)"); why != "" {
		return why
	}
	if !o.listed {
		return "this kernel has no typed tracepoints (Linux 5.5)"
	}
	of := []string{string(h)}
	if h == hooks.Bursts {
		of = []string{"sched_switch", "sched_waking", "sched_wakeup_new", "netif_rx"}
	}
	for _, tracepoint := range of {
		if !o.hasTracepoint(tracepoint) {
			return noTracepoint
		}
	}
	return ""
}

func (o *offered) refusesRecord(h hooks.Hook) string {
	if why := o.lacks(hooks.Tracepoint, "this kernel has no perf tracepoints for BPF (Linux 4.7)"); why != "" {
		return why
	}
	if o.tracefs == "" {
		return "tracefs is not mounted here"
	}
	for _, s := range stands {
		if s.hook != h {
			continue
		}
		if _, err := os.Stat(filepath.Join(o.tracefs, "events", s.group, string(h), "id")); err != nil {
			return noTracepoint
		}
	}
	if h == hooks.SysExit && !o.tellsRegisters() {
		return "the record has not the registers, and a program cannot ask for them (Linux 5.15)"
	}
	if (h == hooks.CgroupMkdir || h == hooks.CgroupRmdir) && !o.recordHasID() {
		return "the record has not the id of the file system (Linux 5.10)"
	}
	return ""
}

func (o *offered) hasTracepoint(name string) bool { return o.hasType("btf_trace_" + name) }

func (o *offered) hasType(name string) bool {
	_, err := o.types.AnyTypeByName(name)
	return err == nil
}

// tellsRegisters: a program may ask for those with which a task entered the kernel.
func (o *offered) tellsRegisters() bool {
	var helpers *btf.Enum
	if err := o.types.TypeByName("bpf_func_id", &helpers); err != nil {
		return false
	}
	return slices.ContainsFunc(helpers.Values, func(v btf.EnumValue) bool { return v.Name == "BPF_FUNC_task_pt_regs" })
}

// recordHasID: before 5.10 (it is so in 5.8) the record has a short id of its own numbering.
func (o *offered) recordHasID() bool {
	var record *btf.Struct
	if err := o.types.TypeByName("trace_event_raw_cgroup", &record); err != nil {
		return false
	}
	for _, m := range record.Members {
		if size, err := btf.Sizeof(m.Type); m.Name == "id" && err == nil {
			return size == 8
		}
	}
	return false
}
