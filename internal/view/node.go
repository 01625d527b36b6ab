// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// Node renders what is known of one node.
func Node(out io.Writer, r *doctor.Report, t Terminal) error {
	p := newPage(out, t)
	node(p, r, "")
	return p.flush()
}

// node renders a report; runtime is what the kubelet says of it, if it was asked.
func node(p *page, r *doctor.Report, runtime string) {
	r = cleaned(r)
	p.fact("verdict", fmt.Sprintf("%s: %s", r.Verdict, r.Verdict.Means()), verdictTone(r.Verdict))
	p.fact("node", r.Node, plain)
	observer(p, r)
	p.fact("kernel", "Linux "+orElse(r.Kernel.Release, "?")+", "+r.Kernel.Architecture, plain)
	p.fact("BTF", btf(r.BTF), plain)
	permissions(p, &r.Permissions)
	p.fact("cgroups", cgroups(&r.Cgroup), plain)
	p.fact("driver", orElse(told(r.Cgroup.Drivers), "not known: no cgroup of a pod was seen"), plain)
	if runtime != "" {
		runtime = Clean(runtime) + " (the kubelet says)"
	}
	p.fact("runtime", orElse(runtime, orElse(told(r.Runtimes), "not known: neither names of cgroups nor of processes tell")), plain)
	p.fact("pressure", pick(r.PSI, "PSI is told", "PSI is not told by this kernel"), plain)
	p.fact("statistics", statistics(r.Statistics), plain)
	if len(r.Without) > 0 {
		p.fact("without", strings.Join(r.Without, ", ")+", as asked", plain)
	}
	ways(p, r.Hooks)
	losses(p, r.Hooks)
	mends(p, r)
}

func verdictTone(v doctor.Verdict) tone {
	switch v {
	case doctor.Full:
		return good
	case doctor.Degraded:
		return inWait
	}
	return bad
}

func observer(p *page, r *doctor.Report) {
	o := r.Observer
	if o == nil {
		p.fact("observer", "not asked: this machine was probed", plain)
		return
	}
	p.fact("observer", strings.TrimSpace(o.Version+" listens since "+o.Since.UTC().Format(moment))+", knows "+plural(int64(o.Cgroups), "cgroup"), plain)
	var lost []string
	for _, kind := range slices.Sorted(maps.Keys(o.Lost)) {
		if n := o.Lost[kind]; n > 0 {
			lost = append(lost, Number(int64(n))+" "+Clean(kind))
		}
	}
	if len(lost) == 0 {
		p.fact("lost", "nothing since", plain)
		return
	}
	p.fact("lost", strings.Join(lost, ", ")+" since", inWait)
}

func btf(b doctor.BTF) string {
	switch b.Source {
	case doctor.KernelBTF:
		return "the kernel's own, " + b.File
	case doctor.FileBTF:
		return "of the file " + b.File
	}
	return "none: the kernel has none of its own, and no file was given"
}

func permissions(p *page, of *doctor.Permissions) {
	var has, hasNot []string
	for _, c := range of.Capabilities {
		if c.Effective {
			has = append(has, c.Name)
			continue
		}
		hasNot = append(hasNot, c.Name)
	}
	text := orElse(strings.Join(has, ", "), "none of those that matter")
	if len(hasNot) > 0 {
		text += "; not " + strings.Join(hasNot, ", ")
	}
	p.fact("capabilities", text, plain)
	var rules []string
	if of.User != nil {
		rules = append(rules, fmt.Sprintf("user %d", *of.User))
	}
	rules = append(rules, "lockdown "+orElse(of.Lockdown, "not told"))
	if n := of.UnprivilegedBPFDisabled; n != nil {
		rules = append(rules, "unprivileged BPF "+pick(*n == 0, "allowed", "refused"))
	}
	if of.LockedMemory != "" {
		rules = append(rules, "locked memory "+pick(of.LockedMemory == "unlimited", "unlimited", "at most "+of.LockedMemory+" bytes"))
	}
	if of.Seccomp != "" {
		rules = append(rules, "seccomp "+strings.ToLower(of.Seccomp))
	}
	p.facts("rules", rules, ", ", plain)
}

func cgroups(c *doctor.Cgroup) string {
	layout := map[doctor.Layout]string{doctor.V1: "v1", doctor.V2: "v2", doctor.Hybrid: "v1 and v2"}
	out := orElse(layout[c.Layout], "none")
	switch {
	case c.CPU == "":
		return out + "; no hierarchy has the cpu controller"
	case c.Layout == doctor.Hybrid:
		out += ", the cpu controller in " + layout[c.CPU]
	}
	switch {
	case c.Mount == "":
		out += "; not mounted here"
	case c.Whole:
		out += ", mounted on " + c.Mount
	default:
		out += "; of what is mounted on " + c.Mount + " only a part is seen"
	}
	if c.Pods > 0 || c.Containers > 0 {
		out += "; " + plural(int64(c.Pods), "pod") + " and " + plural(int64(c.Containers), "container") + " in it"
	}
	return out
}

func told(all []doctor.Sign) string {
	var out []string
	for _, s := range all {
		out = append(out, s.Name+" ("+s.By+")")
	}
	return strings.Join(out, ", ")
}

func statistics(s doctor.Statistics) string {
	switch s {
	case doctor.StatisticsOn:
		return "the kernel times BPF programs"
	case doctor.StatisticsOnDemand:
		return "the kernel times BPF programs when asked"
	case doctor.StatisticsOff:
		return "the kernel does not time BPF programs, so a CPU budget is of the observer's own CPU time alone: sysctl -w kernel.bpf_stats_enabled=1 on the node makes it, at some cost for each run"
	}
	return "this kernel cannot time BPF programs"
}

// ways is the table of what is heard and how.
func ways(p *page, plan hooks.Plan) {
	p.blank()
	t := table{columns: []column{
		{title: "HOOK"}, {title: "HEARD BY"}, {title: "LOST"}, {title: "BETTER WAYS, REFUSED", rank: 1, least: 26}, {title: "WHAT IT IS FOR", rank: 2, least: 14},
	}}
	for _, c := range plan {
		mark, lost := good, text{"-", dim}
		switch {
		case c.Way == hooks.Off:
			mark, lost = bad, text{"all", bad}
		case c.Loses != "":
			mark, lost = inWait, text{"some", inWait}
		}
		var refused []string
		for _, r := range c.Refused {
			refused = append(refused, string(r.Way))
		}
		t.add(text{s: string(c.Hook)}, text{string(c.Way), mark}, lost, text{orElse(strings.Join(refused, ", "), "-"), plain}, text{c.Hears, dim})
	}
	t.write(p)
}

// losses tells what a user does not get, by the reasons for it.
func losses(p *page, plan hooks.Plan) {
	byReason := map[string][]string{}
	var order []string
	for _, l := range doctor.Losses(plan) {
		because := reasons(plan, l.Hooks)
		if byReason[because] == nil {
			order = append(order, because)
		}
		byReason[because] = append(byReason[because], names(l.Hooks)+": "+l.Loses)
	}
	if len(order) == 0 {
		return
	}
	p.heading("WHAT IS LOST, AND WHY")
	for _, because := range order {
		p.item("", because, dim)
		for _, s := range byReason[because] {
			p.item("  ", s, plain)
		}
	}
}

// reasons are why no better ways are taken, each once.
func reasons(plan hooks.Plan, of []hooks.Hook) string {
	var all []string
	for _, c := range plan {
		for _, r := range c.Refused {
			if slices.Contains(of, c.Hook) && !slices.Contains(all, r.Why) {
				all = append(all, r.Why)
			}
		}
	}
	return orElse(strings.Join(all, "; "), "no better way is known")
}

func mends(p *page, r *doctor.Report) {
	if len(r.Mends) == 0 {
		return
	}
	lost := 0
	for _, l := range doctor.Losses(r.Hooks) {
		lost += len(l.Hooks)
	}
	p.heading("WHAT WOULD MEND IT")
	for _, m := range r.Mends {
		p.item("", m.Do, plain)
		if len(m.Hooks) == lost && lost > 1 {
			p.item("  ", "for all of it", dim)
			continue
		}
		p.item("  ", "for "+names(m.Hooks), dim)
	}
}

// item writes a text behind an indent, which goes on beneath itself.
func (p *page) item(indent, s string, t tone) {
	const hanging = "  "
	for i, line := range wrap(s, max(p.picture()-len(indent)-len(hanging), 8)) {
		if i > 0 {
			line = hanging + line
		}
		p.say(indent+line, t)
	}
}

func names(all []hooks.Hook) string {
	var out []string
	for _, h := range all {
		out = append(out, string(h))
	}
	return strings.Join(out, ", ")
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// NodeOf renders a node of a cluster: its observer's report, or why there is none.
func NodeOf(out io.Writer, n *doctor.Node, t Terminal) error {
	p := newPage(out, t)
	if n.Report == nil {
		p.fact("verdict", "No report: "+Clean(n.Problem), bad)
		p.fact("node", Clean(n.Name), plain)
	} else {
		node(p, n.Report, n.Runtime)
	}
	return p.flush()
}
