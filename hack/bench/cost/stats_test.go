// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"slices"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{4, 1, 3}, 3}, {[]float64{4, 1, 3, 2}, 2.5}} {
		before := slices.Clone(c.of)
		if got := median(c.of); got != c.want {
			t.Errorf("median of %v: %v", c.of, got)
		}
		if !slices.Equal(before, c.of) {
			t.Errorf("median reordered %v", before)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestSpread(t *testing.T) {
	all := make([]float64, 101)
	for i := range all {
		all[i] = float64(i)
	}
	s := spreadOf(all)
	if s.Median != 50 || s.Min != 0 || s.Max != 100 || s.N != 101 {
		t.Errorf("%+v", s)
	}
	if s.Low >= s.Median || s.High <= s.Median || s.Low < 25 || s.High > 75 {
		t.Errorf("the interval of the median: %v to %v", s.Low, s.High)
	}
	if s != spreadOf(all) {
		t.Error("another answer to the same question")
	}
	if (spreadOf(nil) != spread{}) {
		t.Error("a spread of nothing")
	}
}

func TestRatiosLeaveOutWhatCannotBeDivided(t *testing.T) {
	if got := ratios([]float64{2, 3, 9}, []float64{1, 0}); !slices.Equal(got, []float64{2}) {
		t.Errorf("%v", got)
	}
	if got := differences([]float64{5, 7}, []float64{2, 3, 4}); !slices.Equal(got, []float64{3, 4}) {
		t.Errorf("%v", got)
	}
}

func TestInTurn(t *testing.T) {
	var order string
	note := func(s string) func() error {
		return func() error { order += s; return nil }
	}
	for i := range 3 {
		if err := inTurn(i, note("a"), note("b")); err != nil {
			t.Fatal(err)
		}
	}
	if order != "abbaab" {
		t.Error(order)
	}
}
