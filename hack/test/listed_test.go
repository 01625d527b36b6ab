// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// A test fails, and then its package breaks off in different ways: none of them may be
// taken for a test that can be tried again.
func TestWhatBreaksOffIsFinal(t *testing.T) {
	const begin = `{"Action":"run","Package":"a","Test":"TestA"}
{"Action":"fail","Package":"a","Test":"TestA"}
{"Action":"run","Package":"a","Test":"TestB"}
{"Action":"run","Package":"a","Test":"TestB/sub"}
`
	for name, c := range map[string]struct {
		then     string
		failures string
		final    bool
	}{
		"nothing else is wrong": {`{"Action":"pass","Package":"a","Test":"TestB/sub"}
{"Action":"pass","Package":"a","Test":"TestB"}
{"Action":"output","Package":"a","Output":"FAIL\n"}
{"Action":"output","Package":"a","Output":"FAIL\ta\t0.1s\n"}
{"Action":"fail","Package":"a"}`, "a TestA", false},
		"it runs out of time": {`{"Action":"output","Package":"a","Test":"TestB/sub","Output":"panic: test timed out after 1h0m0s\n"}
{"Action":"output","Package":"a","Output":"FAIL\ta\t3600s\n"}
{"Action":"fail","Package":"a"}`, "a TestA|a TestB: did not come to an end|a TestB/sub: did not come to an end", true},
		"a test panics": {`{"Action":"fail","Package":"a","Test":"TestB/sub"}
{"Action":"fail","Package":"a","Test":"TestB"}
{"Action":"output","Package":"a","Output":"FAIL\ta\t0.1s\n"}
{"Action":"fail","Package":"a"}`, "a TestA|a TestB/sub|a TestB|a", true},
		"it does not close": {`{"Action":"pass","Package":"a","Test":"TestB/sub"}
{"Action":"pass","Package":"a","Test":"TestB"}
{"Action":"output","Package":"a","Output":"FAIL\n"}
{"Action":"output","Package":"a","Output":"test/a: not detached\n"}
{"Action":"fail","Package":"a"}`, "a TestA|a", true},
		"it ends well without one": {`{"Action":"pass","Package":"a"}`, "a TestA|a TestB: did not come to an end|a TestB/sub: did not come to an end", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := collect(strings.NewReader(begin+c.then+"\n"), io.Discard)
			if err != nil || strings.Join(got.failures, "|") != c.failures || got.failed != len(got.failures) || got.final != c.final {
				t.Errorf("%+v, %v; want %q, final %t", got, err, c.failures, c.final)
			}
		})
	}
}

func TestEachListedTestHasToEnd(t *testing.T) {
	const list = `{"Action":"start","Package":"a"}
{"Action":"output","Package":"a","Output":"TestA\n"}
{"Action":"output","Package":"a","Output":"TestB\n"}
{"Action":"output","Package":"a","Output":"ok  \ta\t0.005s\n"}
{"Action":"output","Package":"b","Output":"TestA\n"}
{"Action":"output","Package":"b","Output":"TestB\n"}
`
	wanted := listed([]byte(list))
	if want := []string{"a TestA", "a TestB", "b TestA", "b TestB"}; !slices.Equal(wanted, want) {
		t.Fatalf("listed %q, want %q", wanted, want)
	}
	r := result{passed: 1, failed: 1, skipped: 1, passes: []string{"a TestA"}, failures: []string{"a TestB"}, skips: []string{"b TestA: no BTF"}}
	r.addMissing(wanted)
	if want := []string{"a TestB", "b TestB: did not run"}; !slices.Equal(r.failures, want) || r.failed != 2 || !r.final {
		t.Errorf("%+v, want the failures %q", r, want)
	}
	whole := result{passes: wanted}
	if whole.addMissing(wanted); whole.final || whole.failed != 0 {
		t.Errorf("%+v", whole)
	}
}
