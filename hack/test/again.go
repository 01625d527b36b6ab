// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// againMax is how many tests may have a second try: more than that is no
// accident of a busy machine.
const againMax = 6

// tryAgain gives the tests that failed one second try, alone. A test that holds
// what was heard against another account of the same moment can meet a moment
// that only one of the two saw; it must then hold on a machine that runs nothing
// else. What passed on the second try is reported as unstable, by name: each test that
// had failed has to be among those that passed, and one that now skips is not.
// A run that broke off has no second try: what stood behind the break never ran.
func tryAgain(first result, run func(pattern string) (result, error)) (result, error) {
	names := topLevel(first.failures)
	if first.final || len(names) == 0 || len(names) > againMax {
		return first, nil
	}
	fmt.Printf("\n!!! SECOND TRY: %s\n", strings.Join(first.failures, ", "))
	second, err := run("^(" + strings.Join(names, "|") + ")$")
	if err != nil || second.failed > 0 {
		return first, err
	}
	for _, name := range first.failures {
		if !slices.Contains(second.passes, name) {
			fmt.Printf("!!! %s did not pass on its second try\n", name)
			return first, nil
		}
	}
	first.unstable = append(first.unstable, first.failures...)
	first.passed += first.failed
	first.failed, first.failures = 0, nil
	return first, nil
}

// topLevel gives the names of the tests that go test -run takes, each once; none
// if one of the failures is no test (a package that did not build or crashed).
func topLevel(failures []string) []string {
	var names []string
	for _, f := range failures {
		_, test, ok := strings.Cut(f, " ")
		if !ok {
			return nil
		}
		name, _, _ := strings.Cut(test, "/")
		names = append(names, regexp.QuoteMeta(name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
