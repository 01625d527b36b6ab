// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// aims of the issue.
const (
	aimMean, aimMax   = 0.02, 0.10
	aimCoverage       = 0.95
	aimAbove, aimMiss = 0.10, 0.05
)

// report writes what was measured as Markdown.
func report(w io.Writer, all []result, t target) {
	origin(w, all)
	families := []struct {
		name string
		of   func(scene) bool
	}{
		{"Held out: neither the model nor its constants saw these workloads", func(s scene) bool { return s.HeldOut }},
		{"For tuning", func(s scene) bool { return !s.HeldOut }},
	}
	for _, f := range families {
		sum := summarize(all, t, f.of)
		if sum.Scenes == 0 {
			continue
		}
		_, _ = fmt.Fprintf(w, "\n### %s\n\n", f.name)
		workloads(w, all, f.of)
		accuracy(w, sum)
		ruleTable(w, sum)
		cells(w, all, f.of)
		limits(w, all, f.of)
	}
}

func origin(w io.Writer, all []result) {
	var took float64
	short, again := false, false
	first, last, kernels := time.Time{}, time.Time{}, map[string]bool{}
	for _, r := range all {
		took += r.Took
		short, again = short || r.Short, again || r.Anew
		if first.IsZero() || r.Started.Before(first) {
			first = r.Started
		}
		if end := r.ended(); end.After(last) {
			last = end
		}
		kernels[fmt.Sprintf("%s, %d CPUs", r.Kernel, r.CPUs)] = true
	}
	var names []string
	for k := range kernels {
		names = append(names, k)
	}
	_, _ = fmt.Fprintf(w, "%d scenes, %d cells, begun from %s to %s UTC (%.0f minutes of measuring) on %s.\n", len(all), 3*len(all),
		first.Format("2006-01-02 15:04"), last.Format("2006-01-02 15:04"), took/60, strings.Join(names, "; "))
	if again {
		_, _ = fmt.Fprintln(w, "\nPredictions and limits were made anew, by today's model, from the recordings of these measurements.")
	}
	if short {
		_, _ = fmt.Fprintln(w, "\n**Short measurements among them, made to try the bench out: not for publication.**")
	}
}

// ended is when the measurement of a scene was over.
func (r result) ended() time.Time {
	return r.Started.Add(time.Duration(r.Took * float64(time.Second)))
}

func accuracy(w io.Writer, f figures) {
	_, _ = fmt.Fprintf(w, "%d scenes, %d cells, %d pairs of limits, each predicted from %d recordings.\n\n", f.Scenes, f.Cells, f.Pairs, repeats)
	_, _ = fmt.Fprintln(w, "| error of the throttled share (0 to 1) | mean | greatest | aim |\n|---|---|---|---|")
	row := func(name string, all []float64, aimed bool) {
		is, isMost, aim := "", "", ""
		if aimed {
			is, isMost = verdict(mean(all) <= aimMean), verdict(most(all) <= aimMax)
			aim = fmt.Sprintf("≤ %.2f, ≤ %.2f", aimMean, aimMax)
		}
		_, _ = fmt.Fprintf(w, "| %s (%d) | %.3f%s | %.3f%s | %s |\n", name, len(all), mean(all), is, most(all), isMost, aim)
	}
	if len(f.Heard) > 0 {
		row("predictions against the recorded seconds of measurements with the same traffic", f.Heard, true)
	}
	row("predictions against measurements with the same traffic", f.Same, true)
	row("noise: a limit measured twice with the same traffic", f.NullSame, false)
	if len(f.Part) > 0 {
		row("noise: the recorded seconds of a measurement against all of it", f.Part, false)
	}
	row("predictions against measurements with other traffic", f.Other, true)
	row("noise: a limit measured twice with different traffic", f.NullOther, false)
	_, _ = fmt.Fprintf(w, "| measurements with other traffic within the interval | %.1f %%%s (%d of %d) | | ≥ %.0f %% |\n\n", 100*f.coverage(), verdict(f.coverage() >= aimCoverage),
		f.Covered, f.Measurements, 100*aimCoverage)
}

func verdict(met bool) string {
	if met {
		return ", met"
	}
	return ", **not met**"
}

func ruleTable(w io.Writer, f figures) {
	_, _ = fmt.Fprintln(w, "| recommender | cells with an oracle | target missed | no recommendation | cores above the oracle, mean | greatest | steps, mean |\n|---|---|---|---|---|---|---|")
	rules := slices.Clone(f.Rules)
	if f.Joined.Cells > 0 {
		f.Joined.Name = ruleOurs + ", three recordings joined"
		rules = append(rules, f.Joined)
	}
	if f.Search.Cells > 0 {
		f.Search.Name = "noise: the search itself, with other traffic"
		rules = append(rules, f.Search)
	}
	for i, r := range rules {
		miss, above := "", ""
		if i == 0 {
			miss = verdict(float64(r.Missed) <= aimMiss*float64(r.Cells))
			above = verdict(mean(r.Above) <= aimAbove)
		}
		_, _ = fmt.Fprintf(w, "| %s | %d | %d (%.0f %%)%s | %d | %s%s | %s | %s |\n", r.Name, r.Cells, r.Missed, percent(r.Missed, r.Cells), miss, r.Silent,
			either(r.Above, fmt.Sprintf("%.0f %%", 100*mean(r.Above))), above, either(r.Above, fmt.Sprintf("%.0f %%", 100*most(r.Above))),
			either(r.Steps, fmt.Sprintf("%.1f", mean(r.Steps))))
	}
	ours := f.Rules[0]
	_, _ = fmt.Fprintf(w, "\nOur limits, measured there once more or by a measurement within 2.5 %% of them: %d of %d did not meet the target in it. Of those that miss the oracle, %d met it there.\n", ours.Failed, ours.Checked, ours.Met)
}

func either(all []float64, text string) string {
	if len(all) == 0 {
		return "–"
	}
	return text
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }

// cells is a row for each pair of limits.
func cells(w io.Writer, all []result, of func(scene) bool) {
	_, _ = fmt.Fprintln(w, "\n| workload | neighbour | from | at | predicted | interval | measured | error, greatest | with other traffic | covered | noise | null | p99 stall predicted | measured |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range all {
		if !of(r.Scene) {
			continue
		}
		for from := range r.Scene.Limits {
			for _, p := range r.pairs(from) {
				_, _ = fmt.Fprintf(w, "| %s | %s | %.2f | %.2f | %.3f | %.3f–%.3f | %.3f | %.3f | %.3f | %d/%d | %.3f | %s | %s | %s |\n", r.Scene.Shape.Kind, neighborOf(r.Scene),
					p.From, p.To, p.Predicted, p.Low, p.High, p.Measured, most(p.Same), most(p.Other), p.Covered, p.Measurements, most(r.nullOther(r.at(p.To))), r.nullText(r.at(p.To)),
					p.StallPredicted.Round(100*time.Microsecond), p.StallMeasured.Round(100*time.Microsecond))
			}
		}
	}
}

// nullText is what the null repeat differs by, at the limit that it was made at.
func (r result) nullText(at int) string {
	if at != nullAt {
		return "–"
	}
	return fmt.Sprintf("%.3f", r.nullSame())
}

func (r result) at(limit float64) int {
	for i, l := range r.Scene.Limits {
		if l == limit {
			return i
		}
	}
	return 0
}

func neighborOf(s scene) string {
	if s.Busy {
		return "busy"
	}
	return "idle"
}

// limits is a row for each cell: what each recommender gives, beside the oracle.
func limits(w io.Writer, all []result, of func(scene) bool) {
	_, _ = fmt.Fprintf(w, "\n| workload | neighbour | limit | throttled | p99 stall | oracle | with other traffic | %s |\n|---|---|---|---|---|---|---|%s\n", strings.Join(ruleNames[:], " | "), strings.Repeat("---|", len(ruleNames)))
	for _, r := range all {
		if !of(r.Scene) {
			continue
		}
		for at, l := range r.Scene.Limits {
			_, _ = fmt.Fprintf(w, "| %s | %s | %.2f | %.1f %% | %s | %s | %s |", r.Scene.Shape.Kind, neighborOf(r.Scene), l, 100*r.measured(at),
				r.Repeats[0][at].StallP99.Round(100*time.Microsecond), limitText(r.Oracle), secondText(r.Second))
			for _, name := range ruleNames {
				limit, steps := r.recommended(name, at)
				_, _ = fmt.Fprintf(w, " %s%s |", limitText(limit), stepsText(name, steps, r, l))
			}
			_, _ = fmt.Fprintln(w)
		}
	}
}

func secondText(s *searched) string {
	if s == nil {
		return "–"
	}
	return limitText(s.Oracle)
}

func limitText(limit float64) string {
	if limit == 0 {
		return "none"
	}
	return fmt.Sprintf("%.2f", limit)
}

// stepsText is shown where a rule works in steps.
func stepsText(rule string, steps int, r result, limit float64) string {
	switch {
	case rule == ruleHalf && r.Oracle > 0 && stepsOfHalf(limit, r.Oracle) > 1:
		return fmt.Sprintf(" (%d steps needed)", stepsOfHalf(limit, r.Oracle))
	case (rule == ruleOurs || rule == ruleFeedback) && steps > 1:
		return fmt.Sprintf(" in %d steps", steps)
	}
	return ""
}
