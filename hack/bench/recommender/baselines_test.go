// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-4*math.Max(1, math.Abs(want)) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestVPAGivesTheUpperEndOfTheBucketAndAMargin(t *testing.T) {
	// The buckets end at 0.01, 0.0205, 0.031525, ...
	near(t, "first bucket", vpa([]float64{0.004}), 0.025) // 0.0115 is below the least
	near(t, "second bucket", vpa([]float64{0.02}), 0.025)
	near(t, "third bucket", vpa([]float64{0.03}), 0.031525*1.15)
	near(t, "no sample", vpa(nil), 0)
	if got := vpa([]float64{0.5}); got < 0.5*1.15 || got > 0.5*1.05*1.15+0.012 {
		t.Errorf("half a core in use: got %v", got)
	}
}

func TestVPATakesThe90thPercentile(t *testing.T) {
	usage := make([]float64, 20)
	for i := range usage {
		usage[i] = 0.1
	}
	usage[0], usage[1] = 1, 1 // the 18th of 20 samples is still small
	near(t, "two of twenty", vpa(usage), vpa([]float64{0.1}))
	usage[2] = 1
	near(t, "three of twenty", vpa(usage), vpa([]float64{1}))
}

func TestVPABucketsHoldTheirValues(t *testing.T) {
	for v := 0.001; v < 8; v *= 1.07 {
		n := vpaBucket(v)
		if start, end := vpaBucketStart(n), vpaBucketStart(n+1); v < start-1e-9 || v >= end+1e-9 {
			t.Errorf("%v is in bucket %d, from %v to %v", v, n, start, end)
		}
	}
}

func TestKRRInterpolates(t *testing.T) {
	near(t, "one sample", krr([]float64{0.3}), 0.3)
	near(t, "two samples", krr([]float64{0.2, 0.1}), 0.196)
	near(t, "three samples", krr([]float64{0.3, 0.1, 0.2}), 0.292)
	near(t, "none", krr(nil), 0)
}

func TestFeedbackStepsUpToItsCeiling(t *testing.T) {
	near(t, "not throttled", feedback(0.5, 0.6, false), 0.6)
	near(t, "throttled", feedback(0.5, 0.6, true), 0.72)
	near(t, "ceiling", feedback(0.5, 1.4, true), 1.5)
}

func TestStepsOfHalf(t *testing.T) {
	for _, c := range []struct {
		limit, oracle float64
		want          int
	}{{1, 1.2, 1}, {1, 1.5, 1}, {1, 1.57, 1}, {1, 1.6, 2}, {0.5, 1.4, 3}, {2, 1, 1}} {
		if got := stepsOfHalf(c.limit, c.oracle); got != c.want {
			t.Errorf("from %v to %v: %d steps, want %d", c.limit, c.oracle, got, c.want)
		}
	}
}

func TestMissedLeavesTheStepOfTheSearch(t *testing.T) {
	if missed(0.96, 1) || missed(1/step, 1) || !missed(0.94, 1) {
		t.Error("a limit within a step of the oracle does not miss, one below does")
	}
}
