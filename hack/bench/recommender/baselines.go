// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"slices"
)

// What others recommend, from their own sources; docs/reference/recommender.md
// names the files. Only the definitions are theirs.

// plusHalf is the usual advice.
func plusHalf(limit float64) float64 { return 1.5 * limit }

// Vertical Pod Autoscaler, recommender's defaults.
const (
	vpaPercentile  = 0.9
	vpaMargin      = 0.15
	vpaLeast       = 0.025 // cores
	vpaFirstBucket = 0.01
	vpaGrowth      = 1.05
)

// vpa is the target that the VPA's recommender takes from samples of usage, all of
// the same weight. With controlledValues RequestsAndLimits the limit keeps its
// ratio to the request: here both are equal.
func vpa(usage []float64) float64 {
	if len(usage) == 0 {
		return 0
	}
	buckets := make([]int, 0, len(usage))
	for _, u := range usage {
		buckets = append(buckets, vpaBucket(u))
	}
	slices.Sort(buckets)
	rank := int(math.Ceil(vpaPercentile*float64(len(buckets)))) - 1
	return max(vpaLeast, vpaBucketStart(buckets[max(rank, 0)]+1)*(1+vpaMargin))
}

// vpaBucket is the bucket of an exponential histogram that a value falls into.
func vpaBucket(cores float64) int {
	if cores < vpaFirstBucket {
		return 0
	}
	return int(math.Log(cores*(vpaGrowth-1)/vpaFirstBucket+1) / math.Log(vpaGrowth))
}

func vpaBucketStart(n int) float64 {
	return vpaFirstBucket * (math.Pow(vpaGrowth, float64(n)) - 1) / (vpaGrowth - 1)
}

// krrPercentile of the limit in KRR's strategy simple_limit. (Its strategy simple
// unsets the limit.)
const krrPercentile = 96

// krr is numpy's percentile: linear between the samples.
func krr(usage []float64) float64 {
	if len(usage) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(usage))
	at := krrPercentile / 100. * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// Koordinator's cfsQuotaBurst, koordlet's defaults: each second up by a step while
// the container was throttled in the second before, up to a ceiling. It comes down
// only when the node's share pool is busy; here that part is left out.
const (
	feedbackStep    = 1.2
	feedbackCeiling = 3.0
)

// feedback is the limit for the next second.
func feedback(base, limit float64, throttled bool) float64 {
	if !throttled {
		return limit
	}
	return min(limit*feedbackStep, base*feedbackCeiling)
}

// stepsOfHalf is how often +50 % has to be applied until the oracle's limit is
// reached.
func stepsOfHalf(limit, oracle float64) int {
	n := 0
	for limit = plusHalf(limit); ; limit = plusHalf(limit) {
		n++
		if !missed(limit, oracle) || n == 20 {
			return n
		}
	}
}

// missed is true if a limit lies below the oracle by more than a step of its search.
func missed(limit, oracle float64) bool { return limit*step*1.0001 < oracle }
