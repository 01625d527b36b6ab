// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"slices"
	"testing"
)

func TestTryAgain(t *testing.T) {
	failed := result{passed: 5, failed: 3, failures: []string{"a TestOne/sub", "a TestOne", "b TestTwo"}}
	all := slices.Clone(failed.failures)
	crashed := result{failed: 2, failures: []string{"a TestOne", "c"}, final: true}
	cut := result{failed: 2, failures: []string{"a TestOne", "a TestTwo: did not come to an end"}, final: true}
	many := result{failed: 7}
	for _, name := range []string{"A", "B", "C", "D", "E", "F", "G"} {
		many.failures = append(many.failures, "a Test"+name)
	}
	broken := errors.New("go test: exit status 2")
	for name, c := range map[string]struct {
		first, second result
		err           error
		runs          string
		failed        int
		unstable      int
	}{
		"passes then":       {first: failed, second: result{passed: 3, passes: all}, runs: "^(TestOne|TestTwo)$", unstable: 3},
		"fails again":       {first: failed, second: result{passed: 2, failed: 1}, runs: "^(TestOne|TestTwo)$", failed: 3},
		"one skips then":    {first: failed, second: result{passed: 2, skipped: 1, passes: all[:2]}, runs: "^(TestOne|TestTwo)$", failed: 3},
		"one vanishes":      {first: failed, second: result{passed: 2, passes: all[1:]}, runs: "^(TestOne|TestTwo)$", failed: 3},
		"skips then":        {first: failed, second: result{skipped: 2}, runs: "^(TestOne|TestTwo)$", failed: 3},
		"cannot be run":     {first: failed, err: broken, runs: "^(TestOne|TestTwo)$", failed: 3},
		"a package crashed": {first: crashed, failed: 2},
		"was cut off":       {first: cut, failed: 2},
		"too many":          {first: many, failed: 7},
		"nothing failed":    {first: result{passed: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			ran := ""
			got, err := tryAgain(c.first, func(pattern string) (result, error) {
				ran = pattern
				return c.second, c.err
			})
			if !errors.Is(err, c.err) || ran != c.runs || got.failed != c.failed || len(got.failures) != c.failed || len(got.unstable) != c.unstable {
				t.Errorf("ran %q, got %+v, %v", ran, got, err)
			}
			if total := got.passed + got.failed; total != c.first.passed+c.first.failed {
				t.Errorf("%d tests of %d", total, c.first.passed+c.first.failed)
			}
		})
	}
}
