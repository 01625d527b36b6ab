// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// switchedOff is how a refusal by --without begins (internal/hooks).
const switchedOff = "switched off by --without "

// mends collects what would give back what is lost, each once.
func mends(r *Report) []Mend {
	var out []Mend
	for _, c := range r.Hooks {
		if c.Loses == "" {
			continue
		}
		for _, do := range mend(r, c) {
			i := slices.IndexFunc(out, func(m Mend) bool { return m.Do == do })
			if i < 0 {
				out = append(out, Mend{Do: do})
				i = len(out) - 1
			}
			out[i].Hooks = append(out[i].Hooks, c.Hook)
		}
	}
	return out
}

// needed are the hooks that others stand on, by how a refusal for want of one begins
// (internal/hooks).
var needed = map[string]hooks.Hook{
	"no events can travel":               hooks.Events,
	"only with the ring buffer":          hooks.Events,
	"no program can be run":              hooks.Bandwidth,
	string(hooks.Exec) + " is not heard": hooks.Exec,
}

// mend is what would give one hook back. What was switched off by hand comes
// first, then what it stands on, then what the process may not; only then the
// kernel is to blame.
func mend(r *Report, c hooks.Choice) []string {
	var out []string
	var refused []hooks.Refusal
	for _, x := range c.Refused {
		if name, ok := strings.CutPrefix(x.Why, switchedOff); ok {
			out = appendOnce(out, "leave --without "+name+" out")
			continue
		}
		if other, ok := standsOn(r.Hooks, x.Why); ok {
			out = appendOnce(out, mend(r, other)...)
			continue
		}
		refused = append(refused, x)
	}
	f := &r.Facts
	if slices.ContainsFunc(refused, func(x hooks.Refusal) bool { return x.Way.BPF() }) {
		out = appendOnce(out, mendBPF(f, c, refused)...)
	}
	if slices.ContainsFunc(refused, func(x hooks.Refusal) bool { return onFiles(x.Way) }) && !f.Cgroup.Whole {
		out = appendOnce(out, mountCgroup(f))
	}
	if len(out) == 0 {
		return []string{"nothing on this kernel: " + why(c)}
	}
	return out
}

// standsOn is the hook that is needed, if that is why a rung was refused.
func standsOn(p hooks.Plan, why string) (hooks.Choice, bool) {
	for begins, hook := range needed {
		if !strings.HasPrefix(why, begins) {
			continue
		}
		if i := slices.IndexFunc(p, func(c hooks.Choice) bool { return c.Hook == hook }); i >= 0 {
			return p[i], true
		}
	}
	return hooks.Choice{}, false
}

// mendBPF looks for what keeps BPF programs out, the outermost obstacle first:
// what lies behind it shows only once it is gone.
func mendBPF(f *Facts, c hooks.Choice, refused []hooks.Refusal) []string {
	p := &f.Permissions
	switch {
	case !p.MayBPF() && f.Kernel.before5(8):
		return []string{"run it as root or add the capability SYS_ADMIN: this kernel knows no CAP_BPF (Linux 5.8)"}
	case !p.MayBPF():
		return []string{"run it as root, or add the capabilities BPF and PERFMON"}
	case p.Lockdown == "confidentiality":
		return []string{"start the kernel without lockdown=confidentiality, under which no BPF program may read its memory"}
	case p.paranoid() && attachesRecord(refused):
		return []string{"set the sysctl kernel.perf_event_paranoid to 2 on the node: Debian and Ubuntu have a greater one, for which CAP_PERFMON is not enough for perf tracepoints"}
	case p.Seccomp == "Filter" && mentions(refused, "not permitted"):
		return []string{"let the seccomp profile allow bpf and perf_event_open to who has CAP_BPF and CAP_PERFMON (RuntimeDefault of containerd and CRI-O does)"}
	case p.LockedMemory != "unlimited" && f.Kernel.before5(11) && !p.Has("CAP_SYS_RESOURCE") && mentions(refused, "locked memory"):
		return []string{"lift the limit of locked memory (ulimit -l unlimited, LimitMEMLOCK=infinity of the runtime), or add the capability SYS_RESOURCE: up to Linux 5.10 BPF maps count against it"}
	case f.BTF.Source == NoBTF:
		return []string{"give it the types of this kernel with --btf FILE (BTFHub has them for kernels of distributions), or run a kernel with CONFIG_DEBUG_INFO_BTF=y"}
	}
	var out []string
	for _, r := range refused {
		out = appendOnce(out, mendWay(f, c.Hook, r)...)
	}
	return out
}

// mendWay tells what one way of BPF needs, where it is known to be missing.
func mendWay(f *Facts, h hooks.Hook, r hooks.Refusal) []string {
	switch {
	case r.Way == hooks.Typed && f.BTF.Source == FileBTF && h == hooks.Bursts:
		return []string{"run a kernel with BTF of its own (CONFIG_DEBUG_INFO_BTF=y): a file does not give it typed tracepoints"}
	case (r.Way.Run() || r.Way == hooks.RingBuffer) && f.Kernel.before5(8):
		return []string{"run Linux 5.8 or newer"}
	case r.Way == hooks.Tracepoint && !f.Tracefs && mentions([]hooks.Refusal{r}, "tracefs"):
		return []string{"mount tracefs on the node's /sys/kernel/tracing, and let the pod see it (k8s/30-daemonset-kernel-observer.yaml does, read-only)"}
	}
	return nil
}

// paranoid is true where distributions' kernels let only CAP_SYS_ADMIN open perf events.
func (p *Permissions) paranoid() bool {
	const most = 2 // that the kernel itself knows
	return p.PerfEventParanoid != nil && *p.PerfEventParanoid > most && !p.Has("CAP_SYS_ADMIN")
}

// attachesRecord is true if a perf tracepoint could not be attached for want of a right.
func attachesRecord(refused []hooks.Refusal) bool {
	return slices.ContainsFunc(refused, func(r hooks.Refusal) bool {
		return r.Way == hooks.Tracepoint && strings.Contains(r.Why, "not permitted")
	})
}

func mountCgroup(f *Facts) string {
	if f.Cgroup.Mount == "" {
		return "mount the cgroup file system on /sys/fs/cgroup, or say with --cgroup-root where it is"
	}
	return "mount the node's own /sys/fs/cgroup, read-only, and say with --cgroup-root where (k8s/30-daemonset-kernel-observer.yaml does): what is here is a container's part of it"
}

func mentions(refused []hooks.Refusal, word string) bool {
	return slices.ContainsFunc(refused, func(r hooks.Refusal) bool { return strings.Contains(r.Why, word) })
}

// why is the reasons for which a choice is not a better one, each once.
func why(c hooks.Choice) string {
	var all []string
	for _, r := range c.Refused {
		all = appendOnce(all, r.Why)
	}
	return strings.Join(all, "; ")
}

func appendOnce(all []string, more ...string) []string {
	for _, s := range more {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// before5 is true for a release older than 5.minor; false for one that is not understood.
func (k Kernel) before5(minor int) bool {
	var a, b int
	if n, err := fmt.Sscanf(k.Release, "%d.%d", &a, &b); err != nil || n != 2 {
		return false
	}
	return a < 5 || a == 5 && b < minor
}

func onFiles(w hooks.Way) bool { return w == hooks.Inotify || w == hooks.Poll || w == hooks.Files }
