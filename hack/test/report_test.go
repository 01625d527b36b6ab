// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestRunsOfAStageAddUp(t *testing.T) {
	sum := result{passed: 2, passes: []string{"a", "b"}}
	sum.add(result{passed: 1, failed: 1, skipped: 1, final: true, failures: []string{"c"}, passes: []string{"d"}, skips: []string{"e"}, unstable: []string{"f"}})
	sum.add(result{})
	want := result{passed: 3, failed: 1, skipped: 1, final: true, failures: []string{"c"}, passes: []string{"a", "b", "d"}, skips: []string{"e"}, unstable: []string{"f"}}
	if !reflect.DeepEqual(sum, want) {
		t.Errorf("the sum is %+v, want %+v", sum, want)
	}
}

// The summary names all that did not run, and why.
func TestSummaryNamesWhatDidNotRun(t *testing.T) {
	var said strings.Builder
	good := summarize(&said, []report{
		{stage: "unit", result: result{passed: 3, skipped: 1, skips: []string{"p TestAway: a_test.go:7: no JDK here"}}},
		{stage: "bpf", notRun: "needs root: run it with sudo"},
		{stage: "e2e", result: result{passed: 2, unstable: []string{"p TestShaky"}}},
	})
	for _, want := range []string{
		"!!! SKIPPED: unit: p TestAway: a_test.go:7: no JDK here\n",
		"!!! NOT RUN: bpf: needs root: run it with sudo\n",
		"!!! UNSTABLE: e2e: p TestShaky: ",
		"\ntests: 5 passed, 0 failed, 1 skipped\n",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not in\n%s", want, &said)
		}
	}
	if !good {
		t.Error("nothing failed")
	}
	if summarize(&said, []report{{stage: "cluster", err: errors.New("it stays")}}) || !strings.Contains(said.String(), "!!! FAILED: cluster: it stays\n") {
		t.Errorf("a fault beside tests is no failure:\n%s", &said)
	}
}
