// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"maps"
	"slices"
	"strings"
	"time"
)

// report writes what was measured as Markdown tables.
func report(w *strings.Builder, blocks []block) {
	measured, null := pairsOf(blocks)
	if len(measured) == 0 {
		return
	}
	fmt.Fprintf(w, "%d births with the observer and %d without, in %d pairs of blocks; %d pairs without it on either side.\n\n",
		len(of(measured, true)), len(of(measured, false)), len(measured), len(null))
	fmt.Fprintln(w, "| creation to Ready, as a client sees it | without | with | ratio of the medians | median of the pairs' ratios |\n|---|---|---|---|---|")
	times(w, "with the observer", measured)
	if len(null) > 0 {
		times(w, "without it on both sides (the noise)", null)
	}
	if components := componentsOf(measured); len(components) > 0 {
		fmt.Fprintln(w, "\n| CPU time of a birth, mean | before Ready: without | with | more | after Ready: without | with | more |\n|---|---|---|---|---|---|---|")
		for _, name := range components {
			split(w, name, measured)
		}
	}
}

func times(w *strings.Builder, name string, pairs []pair) {
	fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", name,
		milliseconds(median(values(of(pairs, false), wall))), milliseconds(median(values(of(pairs, true), wall))),
		spread(pairs, ratioOfMedians), spread(pairs, ratioOfPairs))
}

func spread(pairs []pair, s statistic) string {
	low, high := interval(pairs, s)
	return fmt.Sprintf("%+.1f %% (%+.1f to %+.1f)", 100*(s(pairs)-1), 100*(low-1), 100*(high-1))
}

// componentsOf are those of which CPU time was read, what takes most first.
func componentsOf(pairs []pair) []string {
	sums := map[string]time.Duration{}
	for _, b := range of(pairs, true) {
		for _, u := range []usage{b.Before, b.After} {
			for name, v := range u {
				sums[name] += v
			}
		}
	}
	return slices.SortedFunc(maps.Keys(sums), func(a, b string) int { return int(sums[b] - sums[a]) })
}

func split(w *strings.Builder, name string, pairs []pair) {
	fmt.Fprintf(w, "| %s ", name)
	for _, when := range []func(birth) usage{func(b birth) usage { return b.Before }, func(b birth) usage { return b.After }} {
		what := func(b birth) float64 { return float64(when(b)[name]) }
		low, high := interval(pairs, difference(what))
		fmt.Fprintf(w, "| %.1f ms | %.1f ms | %+.1f (%+.1f to %+.1f) ", mean(values(of(pairs, false), what))/1e6,
			mean(values(of(pairs, true), what))/1e6, difference(what)(pairs)/1e6, low/1e6, high/1e6)
	}
	fmt.Fprintln(w, "|")
}
