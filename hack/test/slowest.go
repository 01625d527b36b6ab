// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// long is from how many seconds on a package has its slowest tests named: what a run
// takes is to be sought there.
const long = 30

// slowest names the tests that took longest, with their seconds, the longest first.
// Parts of tests are in what their tests took, unless they ran beside others.
func slowest(ends []event, n int) string {
	ends = slices.DeleteFunc(ends, func(e event) bool { return e.Elapsed < 1 })
	slices.SortStableFunc(ends, func(a, b event) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	var words []string
	for _, e := range ends[:min(n, len(ends))] {
		words = append(words, fmt.Sprintf("%s %.0f s", e.Test, e.Elapsed))
	}
	return strings.Join(words, ", ")
}
