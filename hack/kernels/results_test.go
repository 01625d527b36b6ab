// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
)

// What a binary says with -test.v=test2json: marks begin the lines that count.
const (
	good   = "\x16=== RUN   TestGood\n\x16--- PASS: TestGood (0.10s)\n"
	bad    = "\x16=== RUN   TestBad\nit is bad\n\x16--- FAIL: TestBad (0.10s)\n"
	better = "\x16=== RUN   TestBad\n\x16--- PASS: TestBad (0.10s)\n"
	cutOff = "\x16=== RUN   TestCutOff\nsome words\n"
	passed = "\x16PASS\n"
	failed = "\x16FAIL\n"
)

func hear(t *testing.T, output string, tests ...string) outcome {
	t.Helper()
	o, err := listen(context.Background(), machine{version: "1.0"}.name(), strings.NewReader(output), tests)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestNothingPassesSilently(t *testing.T) {
	for name, tt := range map[string]struct {
		output         string
		passed, failed int
	}{
		"all is well":                    {good + passed, 1, 0},
		"a test is missing":              {passed, 0, 1},
		"nothing at all":                 {"", 0, 1},
		"no last word":                   {good, 0, 1},
		"the machine died in a test":     {good + cutOff + "\nit died\n\x16FAIL\n", 1, 1},
		"the machine hung after its end": {good + passed + "\nit hangs\n\x16FAIL\n", 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, events := row{}, &bytes.Buffer{}
			if err := r.tell(hear(t, tt.output, "TestGood"), events); err != nil {
				t.Fatal(err)
			}
			if r.passed != tt.passed || r.failed != max(1, tt.failed)*min(1, tt.failed) {
				t.Errorf("%d passed, %d failed, want %d and %d:\n%s", r.passed, r.failed, tt.passed, tt.failed, events)
			}
			verdict := `{"Action":"pass","Package":"linux-1.0/cgroup-v2"`
			if ok := strings.Contains(events.String(), verdict+"}") || strings.Contains(events.String(), verdict+`,"Elapsed"`); ok != (tt.failed == 0) {
				t.Errorf("verdict:\n%s", events)
			}
		})
	}
}

func TestASecondTry(t *testing.T) {
	all := []string{"TestGood", "TestBad"}
	for name, tt := range map[string]struct {
		first, second  string
		again          []string
		passed, failed int
		unstable       int
	}{
		"passes then":             {good + bad + failed, better + passed, []string{"TestBad"}, 2, 0, 1},
		"fails again":             {good + bad + failed, bad + failed, []string{"TestBad"}, 1, 1, 0},
		"a machine that died":     {good + "\nit died\n\x16FAIL\n", better + passed, []string{"TestBad"}, 2, 0, 1},
		"a machine that dies":     {good + bad + failed, "\nit died\n\x16FAIL\n", []string{"TestBad"}, 1, 1, 0},
		"without a failed test":   {good + better + failed, "", nil, 2, 1, 0},
		"without any need of one": {good + better + passed, "", nil, 2, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := hear(t, tt.first, all...)
			again := o.again()
			if !slices.Equal(again, tt.again) {
				t.Fatalf("again: %v, want %v", again, tt.again)
			}
			r := row{}
			if len(again) > 0 {
				r.unstable = o.replace(hear(t, tt.second, again...), again)
			}
			if err := r.tell(o, &bytes.Buffer{}); err != nil {
				t.Fatal(err)
			}
			if r.passed != tt.passed || r.failed != tt.failed || len(r.unstable) != tt.unstable {
				t.Errorf("%d passed, %d failed, unstable %v; want %d, %d and %d", r.passed, r.failed, r.unstable, tt.passed, tt.failed, tt.unstable)
			}
		})
	}
}

func TestManyFailuresAreNoAccident(t *testing.T) {
	output, names := "", []string(nil)
	for _, letter := range "ABCDEFGHIJ" {
		name := "Test" + string(letter)
		names = append(names, name)
		output += "\x16=== RUN   " + name + "\n\x16--- FAIL: " + name + " (0.10s)\n"
	}
	o := hear(t, output+failed, names...)
	if again := o.again(); again != nil {
		t.Errorf("again: %v", again)
	}
}

func TestEveryMachineKnowsItsTests(t *testing.T) {
	all := append([]string{"TestX"}, sameEverywhere...)
	if run, skip := (machine{whole: true}).tests(all); len(run) != len(all) || strings.Contains(skip, sameEverywhere[0]) || !strings.Contains(skip, heavy[0]) {
		t.Errorf("a whole machine runs %v without %s", run, skip)
	}
	if run, skip := (machine{}).tests(all); !slices.Equal(run, []string{"TestX"}) || !strings.Contains(skip, sameEverywhere[0]) {
		t.Errorf("a machine in the middle runs %v without %s", run, skip)
	}
	all = append(all, hypervised...)
	for _, m := range rows {
		run, skip := m.tests(all)
		if of := slices.Equal(run, hypervised); of != m.onXen() || !of && !strings.Contains(skip, hypervised[0]) {
			t.Errorf("%s runs %v without %q", m.suite, run, skip)
		}
	}
}

func TestSlowest(t *testing.T) {
	o := outcome{events: []event{
		{Action: "pass", Test: "TestA", Elapsed: 3},
		{Action: "run", Test: "TestB"},
		{Action: "pass", Test: "TestB/sub", Elapsed: 9},
		{Action: "fail", Test: "TestB", Elapsed: 12.4},
		{Action: "pass", Test: "TestC", Elapsed: 1},
	}}
	if got, want := o.slowest(2), "TestB 12 s, TestA 3 s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := (&outcome{}).slowest(2); got != "" {
		t.Errorf("%q of none", got)
	}
}
