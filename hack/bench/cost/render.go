// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
)

// percent is how much longer something takes, as a signed percentage.
func percent(ratio float64) string { return fmt.Sprintf("%+.2f %%", 100*(ratio-1)) }

// slower is a ratio with the interval that its median lies in, and its extremes.
func slower(s spread) string {
	if s.N == 0 {
		return "—"
	}
	return fmt.Sprintf("%s (%s to %s)", percent(s.Median), percent(s.Low), percent(s.High))
}

func extremes(s spread) string {
	if s.N == 0 {
		return "—"
	}
	return fmt.Sprintf("%.3f–%.3f", s.Min, s.Max)
}

// amount is a figure with the interval that its median lies in.
func amount(s spread, digits int, unit string) string {
	if s.N == 0 {
		return "—"
	}
	return fmt.Sprintf("%.*f%s (%.*f to %.*f)", digits, s.Median, unit, digits, s.Low, digits, s.High)
}

// row writes one line of a table.
func row(w io.Writer, cells ...string) {
	_, _ = fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
}

func header(w io.Writer, cells ...string) {
	row(w, cells...)
	_, _ = fmt.Fprintf(w, "|%s\n", strings.Repeat("---|", len(cells)))
}

func heading(w io.Writer, title string) {
	_, _ = fmt.Fprintf(w, "\n### %s\n", title)
}

func text(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, "\n"+format+"\n", args...)
}

// render writes all that was measured as Markdown.
func render(w io.Writer, r results) {
	origin(w, r)
	renderAims(w, r)
	renderPrograms(w, r)
	renderSlowdown(w, r)
	renderBystander(w, r)
	renderIdle(w, r)
	renderLoss(w, r)
	renderRivals(w, r)
}

func origin(w io.Writer, r results) {
	var first, last string
	kernels, quick, load, took, others := map[string]bool{}, false, 0.0, 0.0, 0
	for _, p := range r {
		at := p.Started.UTC().Format("2006-01-02 15:04")
		if first == "" || at < first {
			first = at
		}
		last = max(last, at)
		kernels[fmt.Sprintf("%s, %d CPUs", p.Kernel, p.CPUs)] = true
		quick, load, took = quick || p.Quick, max(load, p.Load), took+p.Took
		others = max(others, p.Others)
	}
	_, _ = fmt.Fprintf(w, "Measured from %s to %s UTC, %s, in %.0f minutes.", first, last, strings.Join(slices.Sorted(maps.Keys(kernels)), "; "), took/60)
	_, _ = fmt.Fprintf(w, " When its parts began, the load average was %.1f at most.", load)
	if others > 0 {
		_, _ = fmt.Fprintf(w, " **Up to %d BPF programs of others were loaded then: what theirs do is on both sides of each pair.**", others)
	}
	if quick {
		_, _ = fmt.Fprint(w, " **A quick run (`-quick`): few and short measurements, an order of magnitude only.**")
	}
	_, _ = fmt.Fprintln(w, " Figures are medians; in parentheses is where the median lies in 95 of 100 resamplings.")
}

func renderPrograms(w io.Writer, r results) {
	costs, ok := get[eventCosts](r, "programs")
	if !ok {
		return
	}
	heading(w, "Cost per event of every program")
	text(w, "By the kernel's own account (`kernel.bpf_stats_enabled`), whose readings of the clock are inside: an empty program shows %s ns. "+
		"Bystanders are the four workloads below while a birth is under way; births are real ones by runc; the lean-in is on the switch-bound workload itself.\n", amount(costs.Clock, 0, ""))
	phases := []string{phaseBystanders, phaseBirths, phaseLeanIn}
	header(w, append([]string{"program"}, phases...)...)
	names := map[string]bool{}
	for _, phase := range phases {
		for name := range costs.Programs[phase] {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		cells := []string{"`" + name + "`"}
		for _, phase := range phases {
			c, ok := costs.Programs[phase][name]
			if !ok {
				cells = append(cells, "")
				continue
			}
			cells = append(cells, fmt.Sprintf("%.0f ns (%.0f–%.0f), %.0f runs", c.Ns.Median, c.Ns.Min, c.Ns.Max, c.Runs))
		}
		row(w, cells...)
	}
	text(w, "In parentheses the least and the most of %d rounds, then the runs in one round.", costs.Clock.N)
}

func renderSlowdown(w io.Writer, r results) {
	s, ok := get[slowdowns](r, "slowdown")
	if !ok {
		return
	}
	heading(w, "Slowdown of four workloads")
	n := s.Wall[stateNothing][workloads[0]].N
	text(w, "How much longer the same work takes with the observer than without, in %d interleaved pairs; one process (with its peer) on one CPU, in a cgroup of its own. "+
		"\"%s\" has no observer on either side: the noise. At rest and during births it is the observer's program with `--cluster=off`; a birth is kept under way by a pod's cgroup. "+
		"Whom it leans in on the bench chooses itself, with the observer's own listener beside the program.\n", n, stateNothing)
	head := []string{"state"}
	for _, name := range workloads {
		head = append(head, fmt.Sprintf("%s (%s each)", name, duration(s.Each[name])))
	}
	header(w, head...)
	slowdownRows(w, s.Wall, slower)
	text(w, "In CPU time (of the workload's cgroup), which others on the machine disturb less:\n")
	header(w, append([]string{"state"}, workloads...)...)
	slowdownRows(w, s.CPU, slower)
	text(w, "The least and the most of the single ratios, by the wall:\n")
	header(w, append([]string{"state"}, workloads...)...)
	slowdownRows(w, s.Wall, extremes)
	if l, ok := get[wholeLean](r, "lean-in"); ok {
		text(w, "%s", leanText(l))
	}
}

func slowdownRows(w io.Writer, of map[string]map[string]spread, cell func(spread) string) {
	for _, state := range states {
		cells := []string{state}
		for _, name := range workloads {
			cells = append(cells, cell(of[state][name]))
		}
		row(w, cells...)
	}
}

func duration(ns float64) string {
	switch {
	case math.IsNaN(ns) || ns == 0:
		return "?"
	case ns < 1000:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 1e6:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	}
	return fmt.Sprintf("%.2f ms", ns/1e6)
}

func renderBystander(w io.Writer, r results) {
	s, ok := get[bystander](r, "bystander")
	if !ok {
		return
	}
	heading(w, "A bystander's system call")
	text(w, "One `getppid` of a process of no birth, in CPU time. A program on the entry or exit of system calls, whosever it is, sends all of them through the kernel's slow path. The observer listens on the exit; what an empty program costs there is the kernel's.\n")
	header(w, "", "ns")
	row(w, "nobody listens", amount(s.Nothing, 0, ""))
	row(w, "an empty program on the exit", amount(s.Empty, 0, ""))
	row(w, "the observer during a birth", amount(s.Armed, 0, ""))
	row(w, "so the kernel's slow path takes", amount(s.Slow, 1, ""))
	row(w, "**and the observer's programs**", amount(s.Ours, 1, ""))
	row(w, "left once the observer has disarmed", amount(s.After, 1, ""))
}

func renderIdle(w io.Writer, r results) {
	s, ok := get[idleness](r, "idle")
	if !ok {
		return
	}
	heading(w, "CPU and memory at rest")
	text(w, "Pods of one limited container (pod and container carry the limit), as cgroups; nothing runs in them. `--cluster=off`: the client of the API server is not in these figures. "+
		"The pollers read `cpu.stat` of the same cgroups in Go, and do nothing else.\n")
	header(w, "", "pods", "CPU, % of one core", "resident memory", "working set of its cgroup, BPF maps included", "samples a second")
	line := func(who, pods string, of idleOf, samples string) {
		cores := of.Cores
		for _, v := range []*float64{&cores.Median, &cores.Low, &cores.High} {
			*v *= 100
		}
		row(w, who, pods, amount(cores, 3, ""), fmt.Sprintf("%.1f MiB", of.Resident.Median), fmt.Sprintf("%.1f MiB", of.Working.Median), samples)
	}
	for _, pods := range podCounts {
		if of, ok := s.Observer[fmt.Sprint(pods)]; ok {
			line(observed, fmt.Sprint(pods), of, fmt.Sprintf("%.0f", of.Samples))
		}
	}
	for _, every := range []string{"1s", "100ms"} {
		for pods, of := range s.Pollers[every] {
			line("poller, every "+every, pods, of, "")
		}
	}
}

func renderLoss(w io.Writer, r results) {
	rows, ok := get[[]lossRow](r, "loss")
	if !ok {
		return
	}
	heading(w, "Events per second before any is lost")
	text(w, "Processes of a birth, made as fast as they can be (or at a rate) while the observer's own reader and engine listen. A fork is two events (fork, exit), with an exec three. "+
		"Of what else a birth does only the first 32 of a kind are told one by one.\n")
	header(w, "made by", "makers", "asked of each", "made a second", "events a second", "told to user space", "lost", "observer's CPU")
	for _, l := range rows {
		asked := "all it can"
		if l.Asked > 0 {
			asked = fmt.Sprintf("%.0f", l.Asked)
		}
		row(w, l.How, fmt.Sprint(l.Makers), asked, fmt.Sprintf("%.0f", l.Made), fmt.Sprintf("%.0f", l.Events),
			fmt.Sprintf("%.2f %%", 100*l.Told), lostText(l.Lost), fmt.Sprintf("%.2f cores", l.Cores))
	}
}

func lostText(lost map[string]float64) string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(lost)) {
		if lost[what] > 0 {
			all = append(all, fmt.Sprintf("%.0f %s", lost[what], what))
		}
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

func renderRivals(w io.Writer, r results) {
	rows, ok := get[[]rivalRow](r, "rivals")
	if !ok {
		return
	}
	heading(w, "The same births, heard by others")
	text(w, "Births by runc, one after the other (a CNI plugin that does nothing, then a container whose entrypoint ends at once), in interleaved pairs of blocks with the listener and without. "+
		"CPU is that of the births and of the listener together, in ratio to the births that nobody listens to. `strace` runs runc, so that its own share is in the births. Memory is the working set of the listener's cgroup, BPF maps included.\n")
	ours := extraOf(rows, observed)
	header(w, "listener", "time of a birth", "CPU of a birth", "extra CPU for a birth", "of it the listener's own", "extra for a bystander's system call", "memory", "extra CPU, times ours")
	for _, l := range rows {
		if l.Missing != "" {
			row(w, l.Name, "not measured: "+strings.ReplaceAll(l.Missing, "\n", "; "), "", "", "", "", "", "")
			continue
		}
		memory := ""
		if l.Memory > 0 {
			memory = fmt.Sprintf("%.0f MiB", l.Memory)
		}
		row(w, l.Name, slower(l.Wall), slower(l.CPU), amount(l.Extra, 2, " ms"), fmt.Sprintf("%.2f ms", l.Own.Median), amount(l.Bystander, 0, " ns"), memory, times(l, ours))
	}
}

func extraOf(rows []rivalRow, name string) spread {
	for _, l := range rows {
		if l.Name == name {
			return l.Extra
		}
	}
	return spread{}
}

// ratio of a rival's extra CPU to ours, and between what it may lie; ours may be too
// little to be told from nothing, and the ratio then has no upper end.
type ratio struct{ median, low, high float64 }

func ratioOf(theirs, ours spread) (ratio, bool) {
	if theirs.N == 0 || ours.N == 0 || ours.High <= 0 {
		return ratio{}, false
	}
	r := ratio{low: max(0, theirs.Low) / ours.High, median: math.Inf(1), high: math.Inf(1)}
	if ours.Median > 0 {
		r.median = theirs.Median / ours.Median
	}
	if ours.Low > 0 {
		r.high = theirs.High / ours.Low
	}
	return r, true
}

// times tells a rival's extra CPU in ratio to ours.
func times(l rivalRow, ours spread) string {
	if l.Name == nobody || l.Name == observed {
		return ""
	}
	r, ok := ratioOf(l.Extra, ours)
	switch {
	case !ok:
		return "?"
	case math.IsInf(r.high, 1):
		return fmt.Sprintf("at least %.1f (ours is within the noise)", r.low)
	}
	return fmt.Sprintf("%.1f (%.1f to %.1f)", r.median, r.low, r.high)
}
