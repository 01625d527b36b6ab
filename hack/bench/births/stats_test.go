// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// blocksOf are rounds of blocks of births that take so many ms without anybody who
// listens, with the observer more of them, and with an empty program a third of it.
func blocksOf(rounds int, floor bool, took, more time.Duration) (blocks []block) {
	for i, k := range kindsOf(rounds, floor) {
		b := block{On: k == kindOn, Empty: k == kindEmpty}
		for j := range 5 {
			t := took + time.Duration(j+i%3)*time.Millisecond
			u := usage{"containerd": 200 * time.Millisecond, machine: 300 * time.Millisecond}
			switch k {
			case kindOn:
				t += more
				u["kernel-observer"] = 10 * time.Millisecond
				u[machine] += 20 * time.Millisecond
			case kindEmpty:
				t += more / 3
			}
			b.Births = append(b.Births, birth{Took: t, Before: u, After: usage{}})
		}
		blocks = append(blocks, b)
	}
	return blocks
}

func TestPairs(t *testing.T) {
	blocks := blocksOf(6, false, 300*time.Millisecond, 0)
	measured, null := pairsOf(blocks, kindOff, kindOn), noiseOf(blocks)
	if len(measured) != 12 || len(null) != 5 {
		t.Fatalf("%d pairs, %d of noise", len(measured), len(null))
	}
	if first := firsts(blocks, measured); first != 6 {
		t.Errorf("without comes first in %d of 12", first)
	}
	for _, p := range null {
		if p.without.On || p.with.On {
			t.Error("noise with an observer")
		}
	}
}

// firsts counts the pairs of which the block without comes first.
func firsts(blocks []block, pairs []pair) (n int) {
	at := func(b block) int {
		return slices.IndexFunc(blocks, func(o block) bool { return &o.Births[0] == &b.Births[0] })
	}
	for _, p := range pairs {
		if at(p.without) < at(p.with) {
			n++
		}
	}
	return n
}

// Each kind is compared with each other one as often before it as after it, and no
// block is left over.
func TestPairsOfThree(t *testing.T) {
	blocks := blocksOf(4, true, 300*time.Millisecond, 0)
	for _, c := range comparisons {
		pairs := pairsOf(blocks, c.without, c.with)
		if len(pairs) != 8 || firsts(blocks, pairs) != 4 {
			t.Errorf("%s: %d pairs, %d of them begin without", c.name, len(pairs), firsts(blocks, pairs))
		}
		for _, p := range pairs {
			if p.without.kind() != c.without || p.with.kind() != c.with {
				t.Errorf("%s: a pair of %s and %s", c.name, p.without.kind(), p.with.kind())
			}
		}
	}
	if n := len(noiseOf(blocks)); n != 3 {
		t.Errorf("%d pairs of noise", n)
	}
}

// What an interrupt left: the last group lacks a kind.
func TestPairsOfAnInterruptedRun(t *testing.T) {
	blocks := blocksOf(2, true, 300*time.Millisecond, 0)[:8] // ends with nobody, an empty program
	if n := len(pairsOf(blocks, kindOff, kindOn)); n != 2 {
		t.Errorf("%d pairs with the observer", n)
	}
	if n := len(pairsOf(blocks, kindOff, kindEmpty)); n != 3 {
		t.Errorf("%d pairs with an empty program", n)
	}
	var out strings.Builder
	report(&out, blocks)
	if want := "5 of the births with and without the observer are in no pair"; !strings.Contains(out.String(), want) {
		t.Errorf("%q is missing in\n%s", want, out.String())
	}
}

// Files of before there was a floor.
func TestLoadOldFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "births.json")
	raw := `[{"on":false,"births":[{"took":300000000,"before":{"kubelet":4000000},"after":{}}]},
		{"on":true,"births":[{"took":330000000,"before":{"kubelet":5000000},"after":{}}]}]`
	if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	blocks, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	pairs := pairsOf(blocks, kindOff, kindOn)
	if len(pairs) != 1 || ratioOfNeighbors(pairs) != 1.1 {
		t.Errorf("%d pairs of %+v", len(pairs), blocks)
	}
}

// Files of when the floor was programs on the entry as well are not told as today's.
func TestAFloorOfBefore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "births.json")
	raw := `[{"on":false,"empty":true,"births":[{"took":300000000,"before":{},"after":{}}]}]`
	if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	if blocks, err := load(file); err == nil {
		t.Errorf("read %+v", blocks)
	}
}

func TestIntervalHoldsWhatIsThere(t *testing.T) {
	blocks := blocksOf(8, true, 300*time.Millisecond, 15*time.Millisecond)
	for name, c := range map[string]struct {
		pairs []pair
		want  float64
	}{
		"observer": {pairsOf(blocks, kindOff, kindOn), 1.05}, "floor": {pairsOf(blocks, kindOff, kindEmpty), 1.0167},
		"nothing": {noiseOf(blocks), 1},
	} {
		for _, s := range []statistic{ratioOfMedians, ratioOfPairs, ratioOfNeighbors} {
			low, high := interval(c.pairs, s)
			if got := s(c.pairs); got < c.want-0.008 || got > c.want+0.008 || low > got || high < got {
				t.Errorf("%s: %.3f (%.3f to %.3f)", name, got, low, high)
			}
		}
	}
}

// A machine that gets slower with time, and births that something else held up: what
// is compared within pairs does not take them for the observer's.
func TestNeighborsHoldAgainstDriftAndOutliers(t *testing.T) {
	blocks := blocksOf(8, false, 300*time.Millisecond, 15*time.Millisecond)
	for i := range blocks {
		for j := range blocks[i].Births {
			b := &blocks[i].Births[j]
			b.Took = b.Took * time.Duration(100+3*i) / 100
			if blocks[i].On && j == 0 {
				b.Took *= 3
				b.Before[machine] *= 3
			}
		}
	}
	pairs := pairsOf(blocks, kindOff, kindOn)
	if got := ratioOfNeighbors(pairs); got < 1.04 || got > 1.08 {
		t.Errorf("ratio %.3f, want 1.05 and a little for the births that were held up", got)
	}
	what := func(b birth) float64 { return float64(b.Before[machine]) }
	if got := moreThanNeighbors(what)(pairs); got != 20e6 {
		t.Errorf("%.1f ms more, want 20", got/1e6)
	}
}

func TestTrimmed(t *testing.T) {
	if got := trimmed([]float64{1000, 2, 2, 2, 3, 3, 4, 4, 4, -1000}); got != 3 {
		t.Errorf("%v", got)
	}
	if got := trimmed([]float64{1, 3}); got != 2 {
		t.Errorf("of two: %v", got)
	}
}

func TestReport(t *testing.T) {
	var out strings.Builder
	report(&out, blocksOf(2, true, 300*time.Millisecond, 15*time.Millisecond))
	for _, want := range []string{
		"20 births with the observer and 20 without, in 4 pairs of blocks; 1 pairs without it on either side",
		"20 more with an empty program on the exit of system calls, in 4 pairs",
		"| an empty program on the exit of system calls: what any listener there pays | 303ms | 308ms |",
		"| with the observer, where without is such a program | 308ms | 318ms |",
		"| the whole machine | 300.0 ms | 320.0 ms | +20.0 (+20.0 to +20.0) |",
		"| kernel-observer | 0.0 ms | 10.0 ms | +10.0 (+10.0 to +10.0) |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

// Without the floor nothing is said of it.
func TestReportWithoutFloor(t *testing.T) {
	var out strings.Builder
	report(&out, blocksOf(2, false, 300*time.Millisecond, 15*time.Millisecond))
	if strings.Contains(out.String(), "empty") {
		t.Error(out.String())
	}
}
