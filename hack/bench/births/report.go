// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

func wall(b birth) float64 { return float64(b.took) }
func cpu(b birth) float64  { return float64(b.cpu) }

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func values(block []birth, of func(birth) float64) []float64 {
	var all []float64
	for _, b := range block {
		all = append(all, of(b))
	}
	return all
}

func medianOf(block []birth, of func(birth) float64) time.Duration {
	return time.Duration(median(values(block, of))).Round(100 * time.Microsecond)
}

// report prints what was measured as a Markdown table.
func report(on, off [][]birth) {
	with, without := slices.Concat(on...), slices.Concat(off...)
	fmt.Printf("%d births with the observer and %d without, in %d blocks of each.\n\n", len(with), len(without), len(on))
	fmt.Println("| | without | with | ratio of the medians | 95 % of resampled ratios | ratios of neighbouring blocks |\n|---|---|---|---|---|---|")
	line("creation to Ready, as a client sees it", on, off, wall)
	if medianOf(with, cpu) > 0 {
		line("CPU time of containerd, shims, runc and CNI plugins", on, off, cpu)
	}
}

func line(name string, on, off [][]birth, of func(birth) float64) {
	with, without := values(slices.Concat(on...), of), values(slices.Concat(off...), of)
	var blocks []float64
	for i := range on {
		blocks = append(blocks, median(values(on[i], of))/median(values(off[i], of)))
	}
	slices.Sort(blocks)
	low, high := resampled(with, without)
	fmt.Printf("| %s | %s | %s | %.3f | %.3f–%.3f | %.3f–%.3f, median %.3f |\n", name,
		medianOf(slices.Concat(off...), of), medianOf(slices.Concat(on...), of), median(with)/median(without), low, high,
		blocks[0], blocks[len(blocks)-1], median(blocks))
}

// resampled is how far the ratio of the medians would lie apart, had other births
// of the same ones been drawn (bootstrap, from a fixed seed).
func resampled(with, without []float64) (low, high float64) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(all []float64) float64 {
		drawn := make([]float64, len(all))
		for i := range drawn {
			drawn[i] = all[random.IntN(len(all))]
		}
		return median(drawn)
	}
	const rounds = 4000
	ratios := make([]float64, rounds)
	for i := range ratios {
		ratios[i] = draw(with) / draw(without)
	}
	slices.Sort(ratios)
	return ratios[rounds*25/1000], ratios[rounds*975/1000]
}
