// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// tables are Markdown: kernels as they are, then each case on each of them, then
// what the losses mean.
func tables(all []*doctor.Report) string {
	slices.SortStableFunc(all, compare)
	var b strings.Builder
	plain := slices.DeleteFunc(slices.Clone(all), func(r *doctor.Report) bool { return caseOf(r) != "" })
	b.WriteString("| Linux | | cgroup | BTF | verdict | events | tracepoints | new cgroups | bandwidth | bursts | lost |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range plain {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", release(r), r.Kernel.Architecture, layout(r),
			strings.ToLower(string(r.BTF.Source)), r.Verdict, r.Hooks.Way(hooks.Events), tracepoints(r.Hooks), r.Hooks.Way(hooks.CgroupMkdir),
			r.Hooks.Way(hooks.Bandwidth), r.Hooks.Way(hooks.Bursts), lost(r))
	}
	b.WriteString(cases(all))
	b.WriteString("\nWhat is lost means:\n\n")
	for _, s := range sentences(all) {
		b.WriteString("- " + s + "\n")
	}
	return b.String()
}

// cases has a row for each case and a column for each machine.
func cases(all []*doctor.Report) string {
	var names, machines []string
	verdicts := map[string]string{}
	for _, r := range all {
		name, machine := caseOf(r), release(r)+", "+layout(r)
		if name == "" {
			continue
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if !slices.Contains(machines, machine) {
			machines = append(machines, machine)
		}
		verdict := string(r.Verdict)
		if r.Verdict == doctor.Degraded {
			verdict += ": " + lost(r)
		}
		verdicts[name+"\x00"+machine] = verdict
	}
	if len(names) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nThe same machines with something taken away:\n\n| |" + strings.Join(machines, " |") + " |\n|---" + strings.Repeat("|---", len(machines)) + "|\n")
	for _, name := range names {
		b.WriteString("| `" + name + "` |")
		for _, machine := range machines {
			b.WriteString(cmp.Or(verdicts[name+"\x00"+machine], "not run") + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// caseOf is what was taken away, as flags; empty for a machine as it is.
func caseOf(r *doctor.Report) string {
	var flags []string
	if len(r.Without) > 0 {
		flags = append(flags, "--without "+strings.Join(r.Without, ","))
	}
	if r.BTF.Source == doctor.FileBTF {
		flags = append(flags, "--btf FILE")
	}
	return strings.Join(flags, " ")
}

// release of a kernel that anybody can get, in full; of others the version.
func release(r *doctor.Report) string {
	if public.MatchString(r.Kernel.Release) {
		return r.Kernel.Release
	}
	return version.FindString(r.Kernel.Release)
}

var (
	public  = regexp.MustCompile(`-(cloud-)?(amd64|arm64)$`)
	version = regexp.MustCompile(`^\d+\.\d+`)
)

func layout(r *doctor.Report) string {
	out := strings.ToLower(string(r.Cgroup.CPU))
	if r.Cgroup.Layout == doctor.Hybrid {
		out += " beside v2"
	}
	return out
}

// tracepoints are the ways of all hooks that have the choice, each once.
func tracepoints(p hooks.Plan) string {
	var ways []string
	for _, c := range p {
		if c.Way.Program() && c.Hook != hooks.MarkVictim && c.Hook != hooks.Bursts && !slices.Contains(ways, string(c.Way)) {
			ways = append(ways, string(c.Way))
		}
	}
	return cmp.Or(strings.Join(ways, ", "), "none")
}

func lost(r *doctor.Report) string {
	var out []string
	for _, l := range doctor.Losses(r.Hooks) {
		for _, h := range l.Hooks {
			out = append(out, string(h))
		}
	}
	return cmp.Or(strings.Join(out, ", "), "nothing")
}

// sentences are all losses that occur, in the order of the ladders.
func sentences(all []*doctor.Report) []string {
	var out []string
	for _, l := range hooks.Ladders() {
		for _, r := range all {
			for _, c := range r.Hooks {
				s := fmt.Sprintf("`%s` by `%s`: %s", c.Hook, c.Way, c.Loses)
				if c.Hook == l.Hook && c.Loses != "" && !slices.Contains(out, s) {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// compare orders by version, then architecture, then cgroups, then case.
func compare(a, b *doctor.Report) int {
	return cmp.Or(slices.Compare(numbers(a.Kernel.Release), numbers(b.Kernel.Release)), cmp.Compare(a.Kernel.Architecture, b.Kernel.Architecture),
		cmp.Compare(layout(a), layout(b)), cmp.Compare(caseOf(a), caseOf(b)))
}

func numbers(release string) []int {
	var out []int
	for _, s := range regexp.MustCompile(`\d+`).FindAllString(release, 3) {
		n := 0
		_, _ = fmt.Sscan(s, &n) // digits
		out = append(out, n)
	}
	return out
}
