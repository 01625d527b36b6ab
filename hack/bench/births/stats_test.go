// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"
)

// blocksOf are rounds of four blocks of births that take so many ms without the observer
// and more of them with it.
func blocksOf(rounds int, took, more time.Duration) (blocks []block) {
	for i := range 4 * rounds {
		on := i%4 == 1 || i%4 == 2
		b := block{On: on}
		for j := range 5 {
			t := took + time.Duration(j+i%3)*time.Millisecond
			u := usage{"containerd": 200 * time.Millisecond, machine: 300 * time.Millisecond}
			if on {
				t += more
				u["kernel-observer"] = 10 * time.Millisecond
				u[machine] += 20 * time.Millisecond
			}
			b.Births = append(b.Births, birth{Took: t, Before: u, After: usage{}})
		}
		blocks = append(blocks, b)
	}
	return blocks
}

func TestPairs(t *testing.T) {
	blocks := blocksOf(6, 300*time.Millisecond, 0)
	measured, null := pairsOf(blocks)
	if len(measured) != 12 || len(null) != 5 {
		t.Fatalf("%d pairs, %d of noise", len(measured), len(null))
	}
	first := 0
	for _, p := range measured {
		if p.without.On || !p.with.On {
			t.Fatal("a pair is not of one of each")
		}
		for i := range blocks {
			if i+1 < len(blocks) && &blocks[i].Births[0] == &p.without.Births[0] && blocks[i+1].On {
				first++
			}
		}
	}
	if first != 6 {
		t.Errorf("without comes first in %d of 12", first)
	}
	for _, p := range null {
		if p.without.On || p.with.On {
			t.Error("noise with an observer")
		}
	}
}

func TestIntervalHoldsWhatIsThere(t *testing.T) {
	measured, null := pairsOf(blocksOf(8, 300*time.Millisecond, 15*time.Millisecond))
	for name, c := range map[string]struct {
		pairs []pair
		want  float64
	}{"5 %": {measured, 1.05}, "nothing": {null, 1}} {
		for _, s := range []statistic{ratioOfMedians, ratioOfPairs} {
			low, high := interval(c.pairs, s)
			if got := s(c.pairs); got < c.want-0.005 || got > c.want+0.005 || low > got || high < got {
				t.Errorf("%s: %.3f (%.3f to %.3f)", name, got, low, high)
			}
		}
	}
}

func TestReport(t *testing.T) {
	var out strings.Builder
	report(&out, blocksOf(4, 300*time.Millisecond, 15*time.Millisecond))
	for _, want := range []string{
		"40 births with the observer and 40 without, in 8 pairs of blocks; 3 pairs without it on either side",
		"| the whole machine | 300.0 ms | 320.0 ms | +20.0 (+20.0 to +20.0) |",
		"| kernel-observer | 0.0 ms | 10.0 ms | +10.0 (+10.0 to +10.0) |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
