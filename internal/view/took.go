// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// containers tells where the images came from and what the programs opened
// before they began, where anything of it was heard.
func containers(p *page, all []v1alpha1.ContainerMilestones) {
	t := table{columns: []column{{title: "CONTAINER", rank: 2, least: 12}, {title: "TYPE"}, {title: "IMAGE"}, {title: "FILES BEFORE MAIN", right: true, rank: 1}}}
	heard := false
	for _, c := range all {
		files := "-"
		if c.FilesOpenedBeforeMain != nil {
			files = Number(*c.FilesOpenedBeforeMain)
		}
		heard = heard || c.Type != "" || c.Image != nil || c.FilesOpenedBeforeMain != nil
		t.add(text{s: c.Name}, text{s: orDash(string(c.Type))}, text{s: imageOf(c.Image)}, text{s: files})
	}
	if heard {
		p.blank()
		t.write(p)
	}
}

func imageOf(i *v1alpha1.ContainerImage) string {
	switch {
	case i == nil:
		return "-"
	case i.Source != v1alpha1.ImagePulled:
		return strings.ToLower(string(i.Source))
	}
	out := "pulled"
	if i.PullMicroseconds != nil {
		out += " in " + span(*i.PullMicroseconds)
	}
	if i.SizeBytes != nil {
		const mebi = 1 << 20
		out += fmt.Sprintf(", %.1f MiB", float64(*i.SizeBytes)/mebi)
	}
	return out
}

// actors tells what each of them did.
func actors(p *page, k *v1alpha1.KernelStats) {
	if len(k.Actors) == 0 {
		return
	}
	p.blank()
	t := table{columns: []column{
		{title: "ACTOR"}, {title: "CONTAINER", rank: 3, least: 9}, {title: "SYSCALLS", right: true}, {title: "SHARE", right: true, rank: 1},
		{title: "PROCESSES", right: true, rank: 4}, {title: "EXECS", right: true, rank: 2}, {title: "CPU", right: true},
	}}
	for _, a := range k.Actors {
		cpu := "-" // 0 and not measured are one and the same in the API
		if a.CPUMicroseconds > 0 {
			cpu = span(a.CPUMicroseconds)
		}
		t.add(text{s: string(a.Actor)}, text{s: a.Container}, text{s: counted(a.Syscalls)}, text{s: percent(a.Syscalls, k.TotalSyscalls)},
			text{s: Number(a.Processes)}, text{s: Number(a.Execs)}, text{s: cpu})
	}
	t.write(p)
}

// kernelFacts tells what the kernel was asked for.
func kernelFacts(p *page, k *v1alpha1.KernelStats) {
	p.blank()
	var top []string
	for _, s := range k.TopSyscalls {
		top = append(top, s.Name+" "+Number(s.Count))
	}
	total := Number(k.TotalSyscalls)
	if by := syscallsByActor(k.Actors); len(by) > 0 {
		total += " (" + strings.Join(by, ", ") + ")"
	}
	if k.TotalSyscalls == 0 {
		total = "not heard"
	}
	p.fact("system calls", total, plain)
	p.facts("most often", top, ", ", plain)
	made := namespaces(k.NamespacesCreated)
	if k.NamespacesCreated != nil {
		made += " made"
	}
	if k.NamespacesJoined != nil {
		made += "; " + namespaces(k.NamespacesJoined) + " joined"
	}
	p.fact("namespaces", made, plain)
	facts := []string{plural(k.CgroupsCreated, "cgroup")}
	for _, f := range []struct {
		n    *int64
		noun string
	}{{k.CgroupWrites, "write"}, {k.Mounts, "mount"}, {k.NetDevicesCreated, "network device"}, {k.NetfilterRules, "netfilter rule"}} {
		switch {
		case f.n == nil:
			continue
		case f.noun == "write":
			facts[0] += " (" + plural(*f.n, "write") + " to their files)"
		default:
			facts = append(facts, plural(*f.n, f.noun))
		}
	}
	p.facts("made", facts, ", ", plain)
}

func namespaces(n *v1alpha1.NamespacesCreated) string {
	if n == nil {
		return "not heard"
	}
	var out []string
	for _, t := range []struct {
		name  string
		count int64
	}{
		{"mount", n.Mount}, {"pid", n.PID}, {"network", n.Network}, {"uts", n.UTS},
		{"ipc", n.IPC}, {"cgroup", n.Cgroup}, {"user", n.User}, {"time", n.Time},
	} {
		if t.count > 0 {
			out = append(out, fmt.Sprintf("%d %s", t.count, t.name))
		}
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

// coverage tells how much of the birth was heard.
func coverage(p *page, s *v1alpha1.PodBirthCertificateSpec) {
	c := s.Coverage
	heard := c.AttributedPercent + "% of the events attributed, " + Number(c.LostEvents) + " lost"
	if !s.Complete {
		heard += "; not complete"
	}
	p.fact("coverage", heard, plain)
	if e := c.Events; e != nil {
		p.fact("events", fmt.Sprintf("%s heard = %s of this birth + %s of others + %s of daemons + %s unresolved",
			Number(e.Heard), Number(e.Attributed), Number(e.Others), Number(e.Daemons), Number(e.Unresolved)), plain)
	}
	for _, l := range c.Lost {
		p.fact("lost", Number(l.Count)+" "+string(l.Reason), bad)
	}
	for _, m := range c.Missing {
		p.fact("not heard", m, inWait)
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "runtime not known"
	}
	return s
}
