// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// What a binary says with -test.v=test2json: marks begin the lines that count.
const (
	good   = "\x16=== RUN   TestGood\n\x16--- PASS: TestGood (0.10s)\n"
	cutOff = "\x16=== RUN   TestCutOff\nsome words\n"
	passed = "\x16PASS\n"
)

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
			r, events := row{machine: machine{version: "1.0"}}, &bytes.Buffer{}
			if err := r.follow(context.Background(), strings.NewReader(tt.output), []string{"TestGood"}, events); err != nil {
				t.Fatal(err)
			}
			if r.passed != tt.passed || r.failed != tt.failed {
				t.Errorf("%d passed, %d failed, want %d and %d:\n%s", r.passed, r.failed, tt.passed, tt.failed, events)
			}
			verdict := `{"Action":"pass","Package":"linux-1.0/cgroup-v2"`
			if ok := strings.Contains(events.String(), verdict+"}") || strings.Contains(events.String(), verdict+`,"Elapsed"`); ok != (tt.failed == 0) {
				t.Errorf("verdict:\n%s", events)
			}
		})
	}
}
