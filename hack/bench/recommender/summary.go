// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"time"
)

// pair is a prediction beside its measurement: from one limit to another of a
// scene, over all repeats.
type pair struct {
	From, To float64
	// Means of the recordings' predictions, and of the measurements, to be shown.
	Predicted, Low, High, Measured float64
	// Same is by how much each recording's prediction is off what was measured with
	// the same traffic, Other with each other traffic.
	Same, Other []float64
	// Heard is the same as Same, against those seconds of the measurement that were
	// recorded: as long as what the prediction was made from.
	Heard []float64
	// Covered of Measurements with other traffic, by the recordings' intervals.
	Covered, Measurements int
	// Of the first repeat.
	StallPredicted, StallMeasured time.Duration
}

// pairs are those of one limit of a scene.
func (r result) pairs(from int) []pair {
	var out []pair
	for to := range r.Scene.Limits {
		if to != from {
			out = append(out, r.pair(from, to))
		}
	}
	return out
}

func (r result) pair(from, to int) pair {
	p := pair{From: r.Scene.Limits[from], To: r.Scene.Limits[to], Measured: r.measured(to)}
	p.StallPredicted, p.StallMeasured = r.Repeats[0][from].Predicted[to].StallP99, r.Repeats[0][to].StallP99
	n := float64(len(r.Repeats))
	for i, row := range r.Repeats {
		guess := row[from].Predicted[to]
		p.Predicted += guess.Share / n
		p.Low += guess.Low / n
		p.High += guess.High / n
		for j := range r.Repeats {
			share := r.Repeats[j][to].share()
			off := math.Abs(guess.Share - share)
			if i == j {
				p.Same = append(p.Same, off)
				if h := r.Repeats[j][to].Heard; h != nil {
					p.Heard = append(p.Heard, math.Abs(guess.Share-h.share()))
				}
				continue
			}
			p.Other = append(p.Other, off)
			p.Measurements++
			if guess.Low <= share && share <= guess.High {
				p.Covered++
			}
		}
	}
	return p
}

// measured is the mean share of the repeats at a limit.
func (r result) measured(at int) float64 {
	var shares []float64
	for _, row := range r.Repeats {
		shares = append(shares, row[at].share())
	}
	return mean(shares)
}

// nullSame is how far two measurements of the same limit with the same traffic lie
// apart: what no prediction can better.
func (r result) nullSame() float64 {
	return math.Abs(r.Null.share() - r.Repeats[nullRepeat][nullAt].share())
}

// nullOther is how far the measurements of a limit with different traffic lie
// apart, two and two.
func (r result) nullOther(at int) []float64 {
	var out []float64
	for i := range r.Repeats {
		for j := range i {
			out = append(out, math.Abs(r.Repeats[i][at].share()-r.Repeats[j][at].share()))
		}
	}
	return out
}

// part is how far the recorded seconds of each measurement at a limit lie from all of
// it: what no prediction that is made from so many seconds can better.
func (r result) part(at int) []float64 {
	var out []float64
	for _, row := range r.Repeats {
		if h := row[at].Heard; h != nil {
			out = append(out, math.Abs(h.share()-row[at].share()))
		}
	}
	return out
}

// usage are the samples that a metrics pipeline would have of a limit.
func (r result) usage(at int) []float64 {
	var out []float64
	for _, row := range r.Repeats {
		out = append(out, row[at].Usage)
	}
	return out
}

func mean(all []float64) float64 {
	var sum float64
	for _, v := range all {
		sum += v
	}
	return sum / float64(max(len(all), 1))
}

func most(all []float64) float64 {
	var m float64
	for _, v := range all {
		m = max(m, v)
	}
	return m
}

// figures sum up a family of scenes.
type figures struct {
	Scenes, Cells, Pairs int
	// Errors and noise, with the same and with other traffic.
	Same, Heard, Other, NullSame, NullOther []float64
	// Part is how far the recorded seconds of a measurement lie from all of it.
	Part []float64
	// Joined is our own recommender, given the recordings of all repeats at a limit.
	Joined ruleFigures
	// Search is the second search, held against the oracle like a recommender.
	Search ruleFigures
	// Covered of Measurements with other traffic by the interval.
	Covered, Measurements int
	Rules                 []ruleFigures
}

func (f figures) coverage() float64 {
	return float64(f.Covered) / float64(max(f.Measurements, 1))
}

// ruleFigures are one recommender's, over the cells that have an oracle.
type ruleFigures struct {
	Name string
	// Above is by how much of the oracle it lies above it, where it does not miss.
	Above []float64
	// Missed and Silent (no recommendation) of Cells.
	Missed, Silent, Cells int
	// Steps to the limit that it stays at, where it does not miss.
	Steps []float64
	// Met of those that are missed met the target when they were measured.
	Met int
	// Checked of its limits were measured there; Failed of these did not meet the
	// target in that one measurement.
	Checked, Failed int
}

func (f *ruleFigures) add(limit, oracle float64, steps int) {
	f.Cells++
	switch {
	case limit == 0:
		f.Silent++
	case missed(limit, oracle):
		f.Missed++
	default:
		f.Above = append(f.Above, max(0, limit/oracle-1))
		f.Steps = append(f.Steps, float64(steps))
	}
}

// summarize sums up the scenes that are asked for.
func summarize(all []result, t target, of func(scene) bool) figures {
	var f figures
	rules := make([]ruleFigures, len(ruleNames))
	for i, n := range ruleNames {
		rules[i].Name = n
	}
	for _, r := range all {
		if !of(r.Scene) {
			continue
		}
		f.Scenes++
		f.NullSame = append(f.NullSame, r.nullSame())
		for at := range r.Scene.Limits {
			f.Cells++
			f.NullOther = append(f.NullOther, r.nullOther(at)...)
			f.Part = append(f.Part, r.part(at)...)
			for _, p := range r.pairs(at) {
				f.Pairs++
				f.Same = append(f.Same, p.Same...)
				f.Heard = append(f.Heard, p.Heard...)
				f.Other = append(f.Other, p.Other...)
				f.Covered += p.Covered
				f.Measurements += p.Measurements
			}
			if r.Oracle > 0 {
				r.judge(rules, at, t)
			}
			if r.Oracle > 0 && len(r.Joined) > at {
				f.Joined.add(r.Joined[at], r.Oracle, 1)
			}
			if r.Oracle > 0 && r.Second != nil {
				f.Search.add(r.Second.Oracle, r.Oracle, len(r.Second.Probes))
			}
		}
	}
	f.Rules = rules
	return f
}

const (
	ruleOurs     = "Kernel Gossip"
	ruleHalf     = "+50 %"
	ruleVPA      = "VPA target"
	ruleKRR      = "KRR simple_limit"
	ruleFeedback = "Koordinator cfsQuotaBurst"
)

var ruleNames = [...]string{ruleOurs, ruleHalf, ruleVPA, ruleKRR, ruleFeedback}

// judge holds each rule's limit from one cell against the oracle.
func (r result) judge(rules []ruleFigures, at int, t target) {
	for i := range rules {
		limit, steps := r.recommended(rules[i].Name, at)
		rules[i].add(limit, r.Oracle, steps)
	}
	if m := r.Ours[at].Measured; m != nil {
		rules[0].Checked++
		met := t.met(m.share(), m.StallP99)
		if !met {
			rules[0].Failed++
		} else if missed(r.Ours[at].Final, r.Oracle) {
			rules[0].Met++
		}
	}
}

// recommended is a rule's limit from one cell, and the steps to it.
func (r result) recommended(rule string, at int) (limit float64, steps int) {
	switch rule {
	case ruleOurs:
		return r.Ours[at].Final, r.Ours[at].Steps
	case ruleHalf:
		from := r.Scene.Limits[at]
		return plusHalf(from), 1
	case ruleVPA:
		return vpa(r.usage(at)), 1
	case ruleKRR:
		return krr(r.usage(at)), 1
	}
	return r.Feedback[at].Final, r.Feedback[at].Steps
}
