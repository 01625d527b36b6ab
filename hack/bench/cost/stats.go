// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// spread says of some figures where their middle is and how far they lie apart.
type spread struct {
	Median float64 `json:"median"`
	// Low and High hold the median in 95 of 100 resamplings.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
	N    int     `json:"n"`
}

// median of figures; NaN if there are none.
func median(all []float64) float64 {
	if len(all) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(all))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// spreadOf some figures. The resamplings are the same each time that it is asked.
func spreadOf(all []float64) spread {
	if len(all) == 0 {
		return spread{}
	}
	const resamplings = 1000
	dice := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
	medians, again := make([]float64, resamplings), make([]float64, len(all))
	for i := range medians {
		for k := range again {
			again[k] = all[dice.IntN(len(all))]
		}
		medians[i] = median(again)
	}
	slices.Sort(medians)
	return spread{
		Median: median(all), Low: medians[resamplings/40], High: medians[resamplings-1-resamplings/40],
		Min: slices.Min(all), Max: slices.Max(all), N: len(all),
	}
}

// ratios of pairs.
func ratios(with, without []float64) []float64 {
	var all []float64
	for i := range min(len(with), len(without)) {
		if without[i] > 0 {
			all = append(all, with[i]/without[i])
		}
	}
	return all
}

// differences of pairs.
func differences(a, b []float64) []float64 {
	var all []float64
	for i := range min(len(a), len(b)) {
		all = append(all, a[i]-b[i])
	}
	return all
}

// inTurn does both of a pair, in an order that changes from pair to pair.
func inTurn(i int, a, b func() error) error {
	if i%2 == 1 {
		a, b = b, a
	}
	if err := a(); err != nil {
		return err
	}
	return b()
}
