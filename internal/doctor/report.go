// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// Report is what is known of one node.
type Report struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Node is the node's name in the cluster, or the host's.
	Node string    `json:"node"`
	Time time.Time `json:"time"`
	// Observer is the one that listens and reports of itself; nil where the machine
	// was only probed.
	Observer *Observer `json:"observer,omitempty"`
	Verdict  Verdict   `json:"verdict"`
	Facts
	// Without is what --without took away.
	Without []string `json:"without,omitempty"`
	// Hooks are the ways in which each thing is heard.
	Hooks hooks.Plan `json:"hooks"`
	// Mends are what would give back what is lost.
	Mends []Mend `json:"mends,omitempty"`
}

// Observer is a running one.
type Observer struct {
	// Version of the module that it was built from; empty where it was not told.
	Version string    `json:"version,omitempty"`
	Since   time.Time `json:"since"`
	// Cgroups that it knows.
	Cgroups int `json:"cgroups"`
	// Lost counts what it did not hear since, by kind, as the metric lost_total does.
	Lost map[string]uint64 `json:"lost"`
}

// Verdict is how much of the observer's work a node allows.
type Verdict string

// The verdicts, best first.
const (
	// Full: what a user sees is complete.
	Full Verdict = "Full"
	// Degraded: BPF programs hear, and something is lost.
	Degraded Verdict = "Degraded"
	// Floor: no BPF program hears; the cgroup file system tells of throttling and births.
	Floor Verdict = "Floor"
	// Deaf: nothing is heard.
	Deaf Verdict = "Deaf"
)

// Verdicts are all of them, best first.
func Verdicts() []Verdict { return []Verdict{Full, Degraded, Floor, Deaf} }

// Means says a verdict in a sentence.
func (v Verdict) Means() string {
	switch v {
	case Full:
		return "everything is heard, nothing is lost"
	case Degraded:
		return "eBPF works, and something is lost"
	case Floor:
		return "only what the cgroup file system tells, without eBPF"
	case Deaf:
		return "nothing can be heard"
	}
	return "unknown"
}

// Facts are what the machine's own files say.
type Facts struct {
	Kernel      Kernel      `json:"kernel"`
	BTF         BTF         `json:"btf"`
	Permissions Permissions `json:"permissions"`
	Cgroup      Cgroup      `json:"cgroup"`
	// Runtimes of containers, by name.
	Runtimes []Sign `json:"runtimes,omitempty"`
	// PSI is true where pressure is told.
	PSI bool `json:"psi"`
	// Statistics are the kernel's own of BPF programs (kernel.bpf_stats_enabled).
	Statistics Statistics `json:"bpfStatistics"`
	// Tracefs is true where tracefs or debugfs is mounted, which perf tracepoints need.
	Tracefs bool `json:"tracefs"`
}

// Kernel that runs.
type Kernel struct {
	Release      string `json:"release"`
	Architecture string `json:"architecture"` // as Go names it
}

// BTF is where the types of the kernel come from.
type BTF struct {
	Source BTFSource `json:"source"`
	// File of the types; empty where there is none.
	File string `json:"file,omitempty"`
}

// BTFSource is a kind of source.
type BTFSource string

// The sources.
const (
	KernelBTF BTFSource = "Kernel"
	FileBTF   BTFSource = "File"
	NoBTF     BTFSource = "None"
)

// Permissions of the process that reports. What the kernel does not tell is left out.
type Permissions struct {
	// User is the effective user id.
	User *int `json:"user,omitempty"`
	// Capabilities that matter, as far as this kernel knows them.
	Capabilities []Capability `json:"capabilities,omitempty"`
	// Lockdown mode: none, integrity or confidentiality. securityfs tells it, which
	// is not mounted in pods.
	Lockdown string `json:"lockdown,omitempty"`
	// UnprivilegedBPFDisabled is the sysctl of that name: 0, 1 or 2.
	UnprivilegedBPFDisabled *int `json:"unprivilegedBPFDisabled,omitempty"`
	// PerfEventParanoid is the sysctl of that name: up to 2 by the kernel itself; above,
	// distributions' kernels let only CAP_SYS_ADMIN open perf events.
	PerfEventParanoid *int `json:"perfEventParanoid,omitempty"`
	// LockedMemory is the soft limit in bytes, or unlimited.
	LockedMemory string `json:"lockedMemory,omitempty"`
	// Seccomp is Off, Strict or Filter.
	Seccomp string `json:"seccomp,omitempty"`
}

// Capability of Linux.
type Capability struct {
	Name      string `json:"name"` // such as CAP_BPF
	Effective bool   `json:"effective"`
}

// Cgroup is how the cgroup file system lies.
type Cgroup struct {
	Layout Layout `json:"layout"`
	// CPU is the version of the hierarchy that has the cpu controller: V1 or V2;
	// empty: none has.
	CPU Layout `json:"cpuController,omitempty"`
	// Mount is where that hierarchy is mounted; empty: not here.
	Mount string `json:"mount,omitempty"`
	// Whole is true where the mount shows the hierarchy from its root, and not a
	// container's part of it.
	Whole bool `json:"whole"`
	// Drivers of kubelets, by the names of pods' cgroups.
	Drivers []Sign `json:"drivers,omitempty"`
	// Pods and Containers are how many cgroups of theirs were seen.
	Pods       int `json:"pods"`
	Containers int `json:"containers"`
}

// Layout of the cgroup hierarchies.
type Layout string

// The layouts. Hybrid has both.
const (
	V1     Layout = "V1"
	V2     Layout = "V2"
	Hybrid Layout = "Hybrid"
)

// Sign is something that was recognized, and by what.
type Sign struct {
	Name string `json:"name"`
	By   string `json:"by"`
}

// Statistics of BPF programs.
type Statistics string

// What can be had of them.
const (
	StatisticsOn       Statistics = "On"
	StatisticsOff      Statistics = "Off"        // an administrator can switch them on
	StatisticsOnDemand Statistics = "OnDemand"   // off, and this process may switch them on
	NoStatistics       Statistics = "NotOffered" // the kernel has none (before 5.1)
)

// Mend is what would give something back.
type Mend struct {
	Do string `json:"do"`
	// Hooks that it concerns, in the order of the ladders.
	Hooks []hooks.Hook `json:"hooks"`
}
