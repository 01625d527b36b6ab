// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
)

// The aims of the project.
const (
	aimAtRest    = 1.005
	aimLeanIn    = 1.05
	aimCores     = 0.003
	aimResident  = 50.0
	aimSyscall   = 60.0
	aimEvents    = 100_000.0
	aimTimes     = 5.0
	aimPods      = "100"
	met, notMet  = "met", "**not met**"
	cannotBeTold = "cannot be told from noise here"
)

// within judges a figure that is to be at most so much, by the interval in which
// its median lies.
func within(s spread, most float64) string {
	switch {
	case s.N == 0:
		return "not measured"
	case s.High <= most:
		return met
	case s.Low > most:
		return notMet
	}
	return cannotBeTold
}

// worst of several judgements.
func worst(all []string) string {
	out := met
	for _, j := range all {
		switch {
		case j == notMet:
			return notMet
		case j != met:
			out = j
		}
	}
	return out
}

func renderAims(w io.Writer, r results) {
	heading(w, "Aims")
	_, _ = fmt.Fprintln(w)
	header(w, "aim", "measured", "")
	if s, ok := get[slowdowns](r, "slowdown"); ok {
		const aim = "at rest, each of four workloads at most 0.5 % slower, "
		figures, judged := atRest(s.Wall[stateRest])
		row(w, aim+"by the wall", figures, judged)
		figures, judged = atRest(s.CPU[stateRest])
		row(w, aim+"in CPU time", figures, judged)
	}
	if l, ok := get[wholeLean](r, "lean-in"); ok {
		row(w, fmt.Sprintf("a lean-in on %s: at most 5 %% slower over the %s that it may take", l.Workload, leanInFor), slower(l.Wall), within(l.Wall, aimLeanIn))
	}
	if s, ok := get[idleness](r, "idle"); ok {
		of := s.Observer[aimPods]
		row(w, "at most 0.3 % of a core with 100 pods", fmt.Sprintf("%.2f %%", 100*of.Cores.Median), within(of.Cores, aimCores))
		most := spread{}
		for _, of := range s.Observer {
			if of.Resident.Median > most.Median {
				most = of.Resident
			}
		}
		if figure, judged, ok := pollerAim(s); ok {
			row(w, "five times cheaper than a poller of `cpu.stat` that sees throttling as early (every second)", figure, judged)
		}
		row(w, "at most 50 MiB resident", fmt.Sprintf("%.1f MiB (the most of all numbers of pods)", most.Median), within(most, aimResident))
	}
	if s, ok := get[bystander](r, "bystander"); ok {
		row(w, "during births at most 60 ns for a bystander's system call, beyond the kernel's slow path", amount(s.Ours, 0, " ns"), within(s.Ours, aimSyscall))
		row(w, "nothing once disarmed", amount(s.After, 1, " ns"), disarmed(s.After))
	}
	if rows, ok := get[[]lossRow](r, "loss"); ok {
		figure, judged := lossAim(rows)
		row(w, "100,000 process events a second without loss", figure, judged)
	}
	if rows, ok := get[[]rivalRow](r, "rivals"); ok {
		figure, judged := rivalAim(rows)
		row(w, "five times cheaper than each alternative, for the same births", figure, judged)
	}
}

func atRest(of map[string]spread) (figures, judged string) {
	var all, each []string
	for _, name := range workloads {
		all, each = append(all, name+" "+percent(of[name].Median)), append(each, within(of[name], aimAtRest))
	}
	return strings.Join(all, ", "), worst(each)
}

// disarmed: nothing is what cannot be told from it, within what a system call's own
// time varies by.
func disarmed(s spread) string {
	const nearlyNothing = 2 // ns
	if s.N > 0 && s.Low <= 0 && s.High >= 0 {
		return met
	}
	return within(s, nearlyNothing)
}

// lossAim looks for the highest rate of processes at which nothing was lost.
func lossAim(rows []lossRow) (figure, judged string) {
	var best, most float64
	lost := false
	for _, l := range rows {
		clean := lostText(l.Lost) == "nothing"
		most = max(most, l.Events)
		lost = lost || !clean
		if clean {
			best = max(best, l.Events)
		}
	}
	figure = fmt.Sprintf("%.0f without loss", best)
	if !lost {
		figure = fmt.Sprintf("%.0f, all that this machine could make, without loss", most)
	}
	switch {
	case best >= aimEvents:
		return figure, met
	case lost:
		return figure, notMet
	}
	return figure, "not reached by this machine, nothing lost"
}

func judgeTimes(r ratio, known bool) string {
	switch {
	case known && r.low >= aimTimes:
		return met
	case known && r.high < aimTimes:
		return notMet
	}
	return cannotBeTold
}

// pollerAim compares with who only reads the counters.
func pollerAim(s idleness) (figure, judged string, ok bool) {
	pods := fmt.Sprint(podCounts[len(podCounts)-1])
	var figures []string
	for _, every := range []string{"1s", "100ms"} {
		r, known := ratioOf(s.Pollers[every][pods].Cores, s.Observer[pods].Cores)
		if !known {
			return "", "", false
		}
		figures = append(figures, fmt.Sprintf("%.1f (%.1f to %.1f) every %s", r.median, r.low, r.high, every))
		if every != "1s" {
			continue
		}
		judged = judgeTimes(r, true)
	}
	return "times as much CPU with " + pods + " pods: " + strings.Join(figures, ", "), judged, true
}

func rivalAim(rows []rivalRow) (figure, judged string) {
	ours := extraOf(rows, observed)
	var figures, all []string
	for _, l := range rows {
		if l.Missing != "" || l.Name == nobody || l.Name == observed {
			continue
		}
		figures = append(figures, l.Name+": "+times(l, ours))
		r, ok := ratioOf(l.Extra, ours)
		all = append(all, judgeTimes(r, ok))
	}
	if len(all) == 0 {
		return "no alternative was measured", cannotBeTold
	}
	return "times as much: " + strings.Join(figures, ", "), worst(all)
}
