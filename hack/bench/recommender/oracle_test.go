// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"
)

var usualTarget = target{0.05, 5 * time.Millisecond}

func at(limit float64, throttled int, stall time.Duration) window {
	return window{Limit: limit, Periods: 100, Throttled: throttled, StallP99: stall}
}

func TestJudgePoolsMeasurementsOfALimit(t *testing.T) {
	got := judge([]window{at(1, 9, 0), at(1, 3, 0), at(1, 2, 0), at(0.5, 40, 0), at(2, 0, 9*time.Millisecond)}, usualTarget)
	want := []evidence{{0.5, false}, {1, true}, {2, false}}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
}

func TestBracketTakesLuckForLuck(t *testing.T) {
	fails, meets := bracket([]evidence{{0.4, false}, {0.5, true}, {0.6, false}, {0.8, true}, {1, true}})
	if fails != 0.6 || meets != 0.8 {
		t.Errorf("got %v and %v", fails, meets)
	}
}

// A workload that meets the target from a limit on is found within a step of it.
func TestSearchFindsTheSmallestLimit(t *testing.T) {
	for _, truth := range []float64{0.07, 0.31, 0.77, 1.3, 1.99} {
		all := []window{at(0.4, 50, 0)}
		if truth < 0.4 {
			all = []window{at(0.4, 0, 0)}
		}
		n := 0
		for ; n < 40; n++ {
			limit, more := next(judge(all, usualTarget), 2)
			if !more {
				break
			}
			throttled := 50
			if limit >= truth {
				throttled = 0
			}
			all = append(all, at(limit, throttled, 0))
		}
		fails, meets := bracket(judge(all, usualTarget))
		if meets < truth || meets > truth*step*1.001 || fails >= truth || n > 12 {
			t.Errorf("the truth is %v: found %v, %v fails, after %d measurements", truth, meets, fails, n)
		}
	}
}

func TestSearchEndsWhereNothingMeets(t *testing.T) {
	all := []window{at(0.5, 100, 0)}
	for n := 0; ; n++ {
		limit, more := next(judge(all, usualTarget), 2)
		if !more {
			break
		}
		if n > 12 {
			t.Fatal("it goes on and on")
		}
		all = append(all, at(limit, 100, 0))
	}
	if _, meets := bracket(judge(all, usualTarget)); meets != 0 {
		t.Errorf("%v meets", meets)
	}
}

func TestDecided(t *testing.T) {
	for _, c := range []struct {
		throttled, periods int
		want               bool
	}{{30, 30, false}, {40, 50, true}, {6, 50, false}, {15, 100, true}, {0, 150, false}, {8, 100, false}} {
		if got := decided(c.throttled, c.periods, 0.05); got != c.want {
			t.Errorf("%d of %d throttled: decided is %t", c.throttled, c.periods, got)
		}
	}
}
