// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"
)

// sample is a scene with a known table: at limits 1, 2, 3 it measures 0.5, 0.2, 0
// and each repeat a hundredth more than the one before.
func sample(heldOut bool) result {
	r := result{Scene: scene{Name: "x", HeldOut: heldOut, Limits: [3]float64{1, 2, 3}}, Oracle: 2.5, Fails: 2.4, CPUs: 4, Kernel: "Linux 9"}
	for n := range repeats {
		var row []window
		for i, throttled := range []int{50, 20, 0} {
			w := at(r.Scene.Limits[i], throttled+n, time.Duration(3-i)*time.Millisecond)
			w.Usage = 0.9
			w.Heard = &counted{Periods: 50, Throttled: (throttled + n) / 2}
			for j, share := range []float64{0.5, 0.2, 0} {
				w.Predicted = append(w.Predicted, predicted{Limit: r.Scene.Limits[j], Share: share, Low: share - 0.011, High: share + 0.011})
			}
			row = append(row, w)
		}
		r.Repeats = append(r.Repeats, row)
	}
	r.Null = at(2, 23, 0)
	good, bad := at(2.6, 1, 0), at(2, 20, 0)
	r.Ours = []path{{From: 1, Final: 2.6, Steps: 2, Measured: &good}, {From: 2, Final: 2, Steps: 1, Measured: &bad}, {From: 3}}
	r.Joined = []float64{2.5, 2.6, 2.7}
	r.Second = &searched{Oracle: 3, Fails: 2.9, Probes: []window{at(2.9, 9, 0), at(3, 1, 0)}}
	r.Feedback = []path{{From: 1, Final: 3, Steps: 6}, {From: 2, Final: 2.4, Steps: 1}, {From: 3, Final: 3}}
	return r
}

func TestPairs(t *testing.T) {
	p := sample(true).pairs(0)
	if len(p) != 2 || p[0].From != 1 || p[0].To != 2 || p[1].To != 3 {
		t.Fatalf("got %+v", p)
	}
	near(t, "predicted", p[0].Predicted, 0.2)
	near(t, "measured", p[0].Measured, 0.21)
	near(t, "greatest error, same traffic", most(p[0].Same), 0.02)
	near(t, "mean error, same traffic", mean(p[0].Same), 0.01)
	near(t, "mean error, other traffic", mean(p[0].Other), 0.01)
	// 0.20 and 0.21 lie within 0.2 ± 0.011, 0.22 does not: it is the other of two.
	if p[0].Measurements != 6 || p[0].Covered != 4 {
		t.Errorf("covered %d of %d", p[0].Covered, p[0].Measurements)
	}
}

func TestNoise(t *testing.T) {
	r := sample(true)
	// 50, 51 and 52 of 100, of which 25, 25 and 26 of 50 were recorded.
	near(t, "the recorded seconds against all", mean(r.part(0)), 0.01/3)
	near(t, "same traffic", r.nullSame(), 0.03)
	near(t, "other traffic, greatest", most(r.nullOther(1)), 0.02)
	near(t, "other traffic, mean", mean(r.nullOther(1)), 0.04/3)
}

// The measuring ends with the last scene, not where that begins.
func TestOriginTellsTheEnd(t *testing.T) {
	first, last := sample(true), sample(false)
	first.Started, first.Took = time.Date(2026, 11, 25, 20, 57, 0, 0, time.UTC), 300
	last.Started, last.Took = first.Started.Add(5*time.Minute), 270
	var out strings.Builder
	origin(&out, []result{last, first})
	if want := "from 2026-11-25 20:57 to 2026-11-25 21:06 UTC"; !strings.Contains(out.String(), want) {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestSummaryCountsOnlyItsFamily(t *testing.T) {
	f := summarize([]result{sample(true), sample(false)}, usualTarget, func(s scene) bool { return s.HeldOut })
	if f.Scenes != 1 || f.Cells != 3 || f.Pairs != 6 || len(f.Same) != 18 || len(f.Other) != 36 || len(f.NullOther) != 9 {
		t.Errorf("got %+v", f)
	}
}

func TestRulesAgainstTheOracle(t *testing.T) {
	f := summarize([]result{sample(true)}, usualTarget, func(scene) bool { return true })
	ours := f.Rules[0]
	if ours.Cells != 3 || ours.Missed != 1 || ours.Silent != 1 || len(ours.Above) != 1 || ours.Checked != 2 || ours.Failed != 1 {
		t.Errorf("ours: %+v", ours)
	}
	near(t, "ours above the oracle", mean(ours.Above), 0.04)
	near(t, "three recordings above the oracle", mean(f.Joined.Above), 0.04)
	if f.Search.Cells != 3 || f.Search.Missed != 0 {
		t.Errorf("the second search: %+v", f.Search)
	}
	near(t, "a search with other traffic above the oracle", mean(f.Search.Above), 0.2)
	half := f.Rules[1] // 1.5, 3, 4.5
	if half.Missed != 1 || len(half.Above) != 2 {
		t.Errorf("+50 %%: %+v", half)
	}
	near(t, "+50 % above the oracle", most(half.Above), 0.8)
	if vpa := f.Rules[2]; vpa.Missed != 3 {
		t.Errorf("VPA: %+v", vpa)
	}
	back := f.Rules[4] // 2.4 is within a step of the oracle
	if back.Missed != 0 || len(back.Above) != 3 {
		t.Errorf("feedback: %+v", back)
	}
}

func TestScenesWithoutAnOracleJudgeNobody(t *testing.T) {
	r := sample(true)
	r.Oracle = 0
	if f := summarize([]result{r}, usualTarget, func(scene) bool { return true }); f.Rules[0].Cells != 0 || f.Cells != 3 {
		t.Errorf("got %+v", f)
	}
}

func TestReport(t *testing.T) {
	var out strings.Builder
	report(&out, []result{sample(true), sample(false)}, usualTarget)
	for _, want := range []string{"2 scenes, 6 cells", "### Held out", "### For tuning", "| Kernel Gossip | 3 | 1 (33 %), **not met** | 1 | 4 %, met |", "2.60 in 2 steps", "| 2.50 | 3.00 |", "| 0.020 | 0.030 |",
		"| predictions against the recorded seconds of measurements with the same traffic (18) |", "| Kernel Gossip, three recordings joined | 3 | 0 (0 %) |", "| noise: the search itself, with other traffic | 3 | 0 (0 %) |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}

func TestScenesAreWellFormed(t *testing.T) {
	names, kinds := map[string]bool{}, map[string]int{}
	held := 0
	for _, s := range scenes() {
		if names[s.Name] {
			t.Errorf("two scenes are called %s", s.Name)
		}
		names[s.Name] = true
		if strings.HasPrefix(s.Name, "held-") != s.HeldOut {
			t.Errorf("%s: its name does not say its family", s.Name)
		}
		if s.Limits[0] >= s.Limits[1] || s.Limits[1] >= s.Limits[2] {
			t.Errorf("%s: its limits do not rise", s.Name)
		}
		if s.HeldOut {
			held += len(s.Limits)
			kinds[s.Shape.Kind]++
		}
	}
	if held < 24 || len(kinds) != 7 {
		t.Errorf("%d cells of %d kinds are held out", held, len(kinds))
	}
}

// A limit below the oracle that met the target when it was measured missed by the
// oracle's noise.
func TestMissedAndMet(t *testing.T) {
	r := sample(true)
	good := at(2, 1, 0)
	r.Ours[1].Measured = &good
	if ours := summarize([]result{r}, usualTarget, func(scene) bool { return true }).Rules[0]; ours.Missed != 1 || ours.Met != 1 || ours.Failed != 0 {
		t.Errorf("got %+v", ours)
	}
}
