// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

const recorded = `{"Action":"output","Package":"a","Test":"TestGood","Output":"quiet\n"}
{"Action":"pass","Package":"a","Test":"TestGood","Elapsed":0.1}
{"Action":"output","Package":"a","Test":"TestAway","Output":"    a_test.go:7: kernel without BTF\n"}
{"Action":"output","Package":"a","Test":"TestAway","Output":"--- SKIP: TestAway (0.00s)\n"}
{"Action":"skip","Package":"a","Test":"TestAway","Elapsed":0}
{"Action":"pass","Package":"a","Elapsed":0.2}
{"Action":"output","Package":"b","Test":"TestBad","Output":"    b_test.go:9: got 1, want 2\n"}
{"Action":"fail","Package":"b","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"b","Output":"FAIL\n"}
{"Action":"fail","Package":"b","Elapsed":0.1}
{"Action":"build-output","ImportPath":"c","Output":"c.go:1: syntax error\n"}
{"Action":"fail","Package":"c","Elapsed":0}
{"Action":"skip","Package":"d","Elapsed":0}
`

func TestCollectCountsAndExplains(t *testing.T) {
	var shown bytes.Buffer
	got, err := collect(strings.NewReader(recorded), &shown)
	if err != nil {
		t.Fatal(err)
	}
	if got.passed != 1 || got.failed != 2 || got.skipped != 1 {
		t.Errorf("passed, failed, skipped = %d, %d, %d; want 1, 2, 1", got.passed, got.failed, got.skipped)
	}
	if want := "b TestBad,c"; strings.Join(got.failures, ",") != want {
		t.Errorf("failures = %q, want %q", got.failures, want)
	}
	if want := "a TestAway: a_test.go:7: kernel without BTF"; len(got.skips) != 1 || got.skips[0] != want {
		t.Errorf("skips = %q, want %q", got.skips, want)
	}
	for _, want := range []string{"got 1, want 2", "c.go:1: syntax error"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, shown.String())
		}
	}
	if strings.Contains(shown.String(), "quiet") {
		t.Error("the output of a test that passed is shown")
	}
}

func TestSummaryIsNeverSilent(t *testing.T) {
	var out bytes.Buffer
	good := summarize(&out, []report{
		{stage: "unit", result: result{passed: 3}},
		{stage: "bpf", notRun: "needs root"},
	})
	if !good {
		t.Error("a stage that could not run is not a failure")
	}
	if !strings.Contains(out.String(), "!!! NOT RUN: bpf: needs root") {
		t.Errorf("the summary does not name the stage that did not run:\n%s", out.String())
	}
	if !strings.HasSuffix(out.String(), "\ntests: 3 passed, 0 failed, 0 skipped\n") {
		t.Errorf("last line is not the count:\n%s", out.String())
	}
}

func TestAnErrorWithoutAFailedTestFails(t *testing.T) {
	var out bytes.Buffer
	if summarize(&out, []report{{stage: "lint", err: errors.New("exit status 1")}}) {
		t.Error("an error passed")
	}
	if !strings.HasSuffix(out.String(), "\ntests: 0 passed, 1 failed, 0 skipped\n") {
		t.Errorf("the error is not counted:\n%s", out.String())
	}
}

func TestSlowestAreNamed(t *testing.T) {
	var shown bytes.Buffer
	const said = `{"Action":"pass","Package":"p","Test":"TestA","Elapsed":2.6}
{"Action":"pass","Package":"p","Test":"TestB/part","Elapsed":30.2}
{"Action":"fail","Package":"p","Test":"TestB","Elapsed":31}
{"Action":"fail","Package":"p","Elapsed":33.5}
{"Action":"pass","Package":"q","Test":"TestC","Elapsed":1}
{"Action":"pass","Package":"q","Elapsed":1}
`
	if _, err := collect(strings.NewReader(said), &shown); err != nil {
		t.Fatal(err)
	}
	if got := shown.String(); strings.Count(got, "slowest") != 1 || !strings.Contains(got, "slowest: TestB 31 s, TestB/part 30 s, TestA 3 s\n") {
		t.Errorf("shown:\n%s", got)
	}
}
