// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// manyNodes is from how many nodes on a list of all of them is no help.
const manyNodes = 20

// maxAiling is how many nodes that do not hear everything are listed one by one.
const maxAiling = 50

// Cluster renders what is known of a cluster: the checks, then the nodes. Of many
// nodes, unless all are asked for, those alike are one row, and only those that do
// not hear everything have one of their own.
func Cluster(out io.Writer, c *doctor.Cluster, t Terminal, wide bool) error {
	p := newPage(out, t)
	c = cleaned(c)
	p.fact("verdict", clusterVerdict(c), clusterTone(c))
	checks(p, c.Checks)
	mended(p, c.Checks)
	if len(c.Nodes) == 0 {
		return p.flush()
	}
	p.blank()
	if wide || len(c.Nodes) <= manyNodes {
		all := make([]*doctor.Node, len(c.Nodes))
		for i := range c.Nodes {
			all[i] = &c.Nodes[i]
		}
		nodes(p, all, wide)
	} else {
		groups(p, c.Groups())
		if ailing := c.Ailing(); len(ailing) > 0 {
			p.heading(fmt.Sprintf("%s NOT HEAR EVERYTHING", strings.ToUpper(does(len(ailing)))))
			shown := ailing[:min(len(ailing), maxAiling)]
			nodes(p, shown, false)
			if rest := len(ailing) - len(shown); rest > 0 {
				p.say(fmt.Sprintf("and %s more: -o wide has all of them", Number(int64(rest))), dim)
			}
		}
	}
	if len(c.Ailing()) > 0 {
		p.blank()
		p.item("", "kubectl gossip doctor NODE tells what is lost on a node, why, and what would mend it.", dim)
	}
	return p.flush()
}

func does(n int) string {
	if n == 1 {
		return "1 node does"
	}
	return Number(int64(n)) + " nodes do"
}

func clusterVerdict(c *doctor.Cluster) string {
	if len(c.Nodes) == 0 {
		return "no node is heard"
	}
	counts := c.Counts()
	var parts []string
	for _, v := range doctor.Verdicts() {
		if n := counts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", Number(int64(n)), v))
		}
	}
	if n := counts[""]; n > 0 {
		parts = append(parts, Number(int64(n))+" without a report")
	}
	return "of " + plural(int64(len(c.Nodes)), "node") + ": " + strings.Join(parts, ", ")
}

func clusterTone(c *doctor.Cluster) tone {
	if c.Broken() || c.Verdict == "" {
		return bad
	}
	return verdictTone(c.Verdict)
}

func stateTone(s doctor.State) tone {
	switch s {
	case doctor.OK:
		return good
	case doctor.Failed:
		return bad
	case doctor.Unknown:
		return inWait
	}
	return plain
}

func checks(p *page, all []doctor.Check) {
	if len(all) == 0 {
		return
	}
	p.blank()
	t := table{columns: []column{{title: "CHECK"}, {title: "STATE"}, {title: "WHAT WAS FOUND", rank: 1, least: 20}}}
	for _, k := range all {
		t.add(text{s: k.Name}, text{string(k.State), stateTone(k.State)}, text{s: k.Says})
	}
	t.write(p)
}

// mended tells what to do about checks, and in full what a table would cut.
func mended(p *page, all []doctor.Check) {
	first := true
	for _, k := range all {
		if k.State == doctor.OK || k.Mend == "" {
			continue
		}
		if first {
			p.heading("WHAT WOULD MEND IT")
			first = false
		}
		p.item("", k.Name+": "+k.Says, plain)
		p.item("  ", k.Mend, dim)
	}
}

// shape is what is told of a node or of nodes that are alike.
type shape struct{ verdict, kernel, arch, btf, cgroups, driver, runtime, lost text }

func shapeOf(n *doctor.Node) shape {
	dash := text{"-", dim}
	s := shape{
		verdict: text{"No report", bad}, kernel: text{orElse(n.Kernel, "-"), plain}, arch: text{orElse(n.Architecture, "-"), plain},
		btf: dash, cgroups: dash, driver: dash, runtime: text{orElse(n.Runtime, "-"), plain}, lost: text{n.Problem, bad},
	}
	r := n.Report
	if r == nil {
		return s
	}
	s.verdict = text{string(r.Verdict), verdictTone(r.Verdict)}
	s.kernel, s.arch = text{s: r.Kernel.Release}, text{s: r.Kernel.Architecture}
	s.btf = text{s: strings.ToLower(string(r.BTF.Source))}
	s.cgroups = text{s: shortLayout(&r.Cgroup)}
	s.driver = text{s: orElse(doctor.Names(r.Cgroup.Drivers), "-")}
	s.runtime = text{s: orElse(n.Runtime, orElse(doctor.Names(r.Runtimes), "-"))}
	s.lost = lostIn(r)
	return s
}

// shortLayout is the version of the cpu controller's hierarchy; one of both says so.
func shortLayout(c *doctor.Cgroup) string {
	version := strings.ToLower(string(c.CPU))
	if c.Layout == doctor.Hybrid {
		return version + " (hybrid)"
	}
	return orElse(version, "-")
}

// lostIn names the hooks of which something is lost, the first of many.
func lostIn(r *doctor.Report) text {
	var all []hooks.Hook
	for _, l := range doctor.Losses(r.Hooks) {
		all = append(all, l.Hooks...)
	}
	const few = 4
	switch {
	case len(all) == 0:
		return text{"nothing", dim}
	case len(all) > few:
		return text{fmt.Sprintf("%s and %d more", names(all[:few-2]), len(all)-few+2), inWait}
	}
	return text{names(all), inWait}
}

func nodes(p *page, all []*doctor.Node, wide bool) {
	t := table{columns: []column{
		{title: "NODE", rank: 8, least: 12}, {title: "VERDICT"}, {title: "KERNEL", rank: 7, least: 8}, {title: "ARCH", rank: 4}, {title: "CGROUP", rank: 6},
		{title: "DRIVER", rank: 5}, {title: "RUNTIME", rank: 3}, {title: "BTF", rank: 2}, {title: "LOST", rank: 9, least: 20}, {title: "OBSERVER", rank: 1},
	}}
	for _, n := range all {
		s := shapeOf(n)
		t.add(text{s: n.Name}, s.verdict, s.kernel, s.arch, s.cgroups, s.driver, s.runtime, s.btf, s.lost, text{orElse(n.Pod, "-"), dim})
	}
	if !wide {
		t.drop("OBSERVER")
	}
	t.write(p)
}

func groups(p *page, all []doctor.Alike) {
	t := table{columns: []column{
		{title: "NODES", right: true}, {title: "VERDICT"}, {title: "KERNEL", rank: 7, least: 8}, {title: "ARCH", rank: 4}, {title: "CGROUP", rank: 6},
		{title: "DRIVER", rank: 5}, {title: "RUNTIME", rank: 3}, {title: "BTF", rank: 2}, {title: "LOST", rank: 8, least: 20}, {title: "SUCH AS", rank: 1},
	}}
	for _, g := range all {
		s := shapeOf(g.Example)
		t.add(text{s: Number(int64(g.Count))}, s.verdict, s.kernel, s.arch, s.cgroups, s.driver, s.runtime, s.btf, s.lost, text{g.Example.Name, dim})
	}
	t.write(p)
}
