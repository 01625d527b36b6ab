// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// comparison is one that is told: births during which with listens, in ratio to others.
type comparison struct {
	name          string
	without, with kind
}

var comparisons = []comparison{
	{"with the observer", kindOff, kindOn},
	{"an empty program on the exit of system calls: what any listener there pays", kindOff, kindEmpty},
	{"with the observer, where without is such a program", kindEmpty, kindOn},
}

// report writes what was measured as Markdown tables.
func report(w *strings.Builder, blocks []block) {
	if len(pairsOf(blocks, kindOff, kindOn)) == 0 {
		return
	}
	count(w, blocks)
	fmt.Fprintln(w, "\n| creation to Ready, as a client sees it | without | with | ratio of the medians | median of the pairs' ratios | median of the ratios of births of a pair |\n|---|---|---|---|---|---|")
	for _, c := range comparisons {
		times(w, c.name, pairsOf(blocks, c.without, c.with))
	}
	times(w, "without it on both sides (the noise)", noiseOf(blocks))
	for _, c := range comparisons[:2] {
		cpu(w, c, pairsOf(blocks, c.without, c.with))
	}
}

// count says how many there were, and how many of them have nothing to be compared with.
func count(w *strings.Builder, blocks []block) {
	births := map[kind]int{}
	for _, b := range blocks {
		births[b.kind()] += len(b.Births)
	}
	pairs := pairsOf(blocks, kindOff, kindOn)
	fmt.Fprintf(w, "%d births with the observer and %d without, in %d pairs of blocks; %d pairs without it on either side.\n",
		births[kindOn], births[kindOff], len(pairs), len(noiseOf(blocks)))
	if n := births[kindEmpty]; n > 0 {
		fmt.Fprintf(w, "%d more with an empty program on the exit of system calls, in %d pairs.\n", n, len(pairsOf(blocks, kindOff, kindEmpty)))
	}
	if n := births[kindOff] - len(of(pairs, false)) + births[kindOn] - len(of(pairs, true)); n > 0 {
		fmt.Fprintf(w, "%d of the births with and without the observer are in no pair, and in no figure of it.\n", n)
	}
}

func times(w *strings.Builder, name string, pairs []pair) {
	if len(pairs) == 0 {
		return
	}
	fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", name,
		milliseconds(median(values(of(pairs, false), wall))), milliseconds(median(values(of(pairs, true), wall))),
		spread(pairs, ratioOfMedians), spread(pairs, ratioOfPairs), spread(pairs, ratioOfNeighbors))
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

// cpu writes what each component took: until Ready by each middle, as one birth that
// something else held up moves a mean; and the means until Ready and after it.
func cpu(w *strings.Builder, c comparison, pairs []pair) {
	components := componentsOf(pairs)
	if len(components) == 0 {
		return
	}
	fmt.Fprintf(w, "\n| CPU time of a birth before Ready, %s | median without | with | more, by the births of a pair | more, by the trimmed mean | by the mean |\n|---|---|---|---|---|---|\n", c.with)
	for _, name := range components {
		middles(w, name, pairs)
	}
	fmt.Fprintf(w, "\n| CPU time of a birth, %s, mean | before Ready: without | with | more | after Ready: without | with | more |\n|---|---|---|---|---|---|---|\n", c.with)
	for _, name := range components {
		split(w, name, pairs)
	}
}

func before(b birth) usage { return b.Before }
func after(b birth) usage  { return b.After }

func middles(w *strings.Builder, name string, pairs []pair) {
	what := func(b birth) float64 { return float64(b.Before[name]) }
	fmt.Fprintf(w, "| %s | %.1f ms | %.1f ms ", name, median(values(of(pairs, false), what))/1e6, median(values(of(pairs, true), what))/1e6)
	for _, s := range []statistic{moreThanNeighbors(what), difference(trimmed, what), difference(mean, what)} {
		fmt.Fprintf(w, "| %s ", more(pairs, s))
	}
	fmt.Fprintln(w, "|")
}

func split(w *strings.Builder, name string, pairs []pair) {
	fmt.Fprintf(w, "| %s ", name)
	for _, when := range []func(birth) usage{before, after} {
		what := func(b birth) float64 { return float64(when(b)[name]) }
		fmt.Fprintf(w, "| %.1f ms | %.1f ms | %s ", mean(values(of(pairs, false), what))/1e6,
			mean(values(of(pairs, true), what))/1e6, more(pairs, difference(mean, what)))
	}
	fmt.Fprintln(w, "|")
}

func more(pairs []pair, s statistic) string {
	low, high := interval(pairs, s)
	return fmt.Sprintf("%+.1f (%+.1f to %+.1f)", s(pairs)/1e6, low/1e6, high/1e6)
}
