// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Source is what facts are gathered from.
type Source struct {
	// Machine has proc and sys as the root directory of a machine has them.
	Machine fs.FS
	// Architecture as Go names it.
	Architecture string
	// BTF is the file that the types are read from instead of the kernel's.
	BTF string
	// CgroupRoot is where a whole cgroup file system is mounted, if somebody said.
	CgroupRoot string
}

// KernelBTFFile is where a kernel shows its types.
const KernelBTFFile = "/sys/kernel/btf/vmlinux"

// Gather reads what the machine's files say, without what lives in its cgroups:
// see Inhabitants.
func (s *Source) Gather() Facts {
	f := Facts{
		Kernel:      Kernel{Release: s.text("/proc/sys/kernel/osrelease"), Architecture: s.Architecture},
		BTF:         s.btf(),
		Permissions: s.permissions(),
		Cgroup:      s.cgroup(),
		Tracefs:     s.exists("/sys/kernel/tracing/events") || s.exists("/sys/kernel/debug/tracing/events"),
	}
	// Where pressure is compiled in and switched off, the file is there and cannot be read.
	_, err := fs.ReadFile(s.Machine, "proc/pressure/cpu")
	f.PSI = err == nil
	f.Statistics = s.statistics(f.Permissions)
	return f
}

func (s *Source) btf() BTF {
	switch {
	case s.BTF != "":
		return BTF{Source: FileBTF, File: s.BTF}
	case s.exists(KernelBTFFile):
		return BTF{Source: KernelBTF, File: KernelBTFFile}
	}
	return BTF{Source: NoBTF}
}

func (s *Source) statistics(p Permissions) Statistics {
	switch s.text("/proc/sys/kernel/bpf_stats_enabled") {
	case "":
		return NoStatistics
	case "0":
		// BPF_ENABLE_STATS asks for it, kernel/bpf/syscall.c; it came with 5.8, as
		// CAP_BPF did.
		if p.Has("CAP_SYS_ADMIN") && p.known("CAP_BPF") {
			return StatisticsOnDemand
		}
		return StatisticsOff
	}
	return StatisticsOn
}

// Numbers of the capabilities that matter (include/uapi/linux/capability.h).
var capabilities = []struct {
	name string
	bit  int
}{{"CAP_BPF", 39}, {"CAP_PERFMON", 38}, {"CAP_SYS_RESOURCE", 24}, {"CAP_SYS_ADMIN", 21}}

// Has is true for a capability that is effective.
func (p *Permissions) Has(name string) bool {
	for _, c := range p.Capabilities {
		if c.Name == name {
			return c.Effective
		}
	}
	return false
}

// known is true for a capability that this kernel has.
func (p *Permissions) known(name string) bool {
	return slices.ContainsFunc(p.Capabilities, func(c Capability) bool { return c.Name == name })
}

// MayBPF is true where the capabilities allow to load and to attach programs.
// CAP_SYS_ADMIN stands for the two, and on kernels before 5.8 alone.
func (p *Permissions) MayBPF() bool {
	return p.Has("CAP_SYS_ADMIN") || p.Has("CAP_BPF") && p.Has("CAP_PERFMON")
}

func (s *Source) permissions() Permissions {
	status := s.status()
	p := Permissions{
		Lockdown:                bracketed(s.text("/sys/kernel/security/lockdown")),
		UnprivilegedBPFDisabled: integer(s.text("/proc/sys/kernel/unprivileged_bpf_disabled")),
		PerfEventParanoid:       integer(s.text("/proc/sys/kernel/perf_event_paranoid")),
		LockedMemory:            s.lockedMemory(),
	}
	if ids := strings.Fields(status["Uid"]); len(ids) > 1 {
		p.User = integer(ids[1])
	}
	switch status["Seccomp"] {
	case "0":
		p.Seccomp = "Off"
	case "1":
		p.Seccomp = "Strict"
	case "2":
		p.Seccomp = "Filter"
	}
	effective, err := strconv.ParseUint(status["CapEff"], 16, 64)
	if err != nil {
		return p
	}
	last := integer(s.text("/proc/sys/kernel/cap_last_cap"))
	for _, c := range capabilities {
		if last == nil || c.bit <= *last {
			p.Capabilities = append(p.Capabilities, Capability{c.name, effective>>c.bit&1 == 1})
		}
	}
	return p
}

// status is /proc/self/status by name.
func (s *Source) status() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(s.text("/proc/self/status")) {
		name, value, _ := strings.Cut(line, ":")
		out[name] = strings.TrimSpace(value)
	}
	return out
}

func (s *Source) lockedMemory() string {
	for line := range strings.Lines(s.text("/proc/self/limits")) {
		if rest, ok := strings.CutPrefix(line, "Max locked memory"); ok {
			if limits := strings.Fields(rest); len(limits) > 0 {
				return limits[0]
			}
		}
	}
	return ""
}

// bracketed is the choice of a file that marks it among the others.
func bracketed(s string) string {
	_, rest, _ := strings.Cut(s, "[")
	chosen, _, _ := strings.Cut(rest, "]")
	return chosen
}

func integer(s string) *int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return nil
	}
	return &n
}

// text of a file without the blanks around it; empty where it cannot be read.
func (s *Source) text(file string) string {
	raw, err := fs.ReadFile(s.Machine, inside(file))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

func (s *Source) exists(file string) bool {
	_, err := fs.Stat(s.Machine, inside(file))
	return err == nil
}

// inside is a file's name as an fs.FS takes it.
func inside(file string) string {
	if file = strings.Trim(file, "/"); file == "" {
		return "."
	}
	return file
}
