// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"time"
)

func wall(b birth) float64 { return float64(b.Took) }

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func mean(all []float64) float64 {
	sum := 0.0
	for _, v := range all {
		sum += v
	}
	return sum / float64(max(1, len(all)))
}

// trimmed is the mean without the tenth that is least and the tenth that is most: a
// birth that something else held up has no say in it.
func trimmed(all []float64) float64 {
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	cut := len(sorted) / 10
	return mean(sorted[cut : len(sorted)-cut])
}

func values(births []birth, of func(birth) float64) []float64 {
	all := make([]float64, len(births))
	for i, b := range births {
		all[i] = of(b)
	}
	return all
}

func milliseconds(ns float64) time.Duration {
	return time.Duration(ns).Round(100 * time.Microsecond)
}
