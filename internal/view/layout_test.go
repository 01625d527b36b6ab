// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func TestPhasesNestByTimeAndContainer(t *testing.T) {
	phase := func(name, container string, from, took int64) v1alpha1.Phase {
		return v1alpha1.Phase{Name: name, Container: container, StartMicroseconds: from, DurationMicroseconds: took}
	}
	var got []string
	for _, r := range rows([]v1alpha1.Phase{
		phase("Startup", "a", 100, 500), phase("Create", "b", 150, 10), phase("Inner", "a", 200, 400), phase("Innermost", "a", 300, 301),
		phase("Late", "a", 590, 20), phase("Network", "", 0, 50), phase("Plugin", "", 0, 50), phase("Nothing", "", 50, 0),
	}) {
		got = append(got, fmt.Sprintf("%d%s", r.Depth, r.Label()))
	}
	// Innermost is longer by the microsecond of rounding; b's only began meanwhile.
	const want = "0Network, 1Plugin, 2Nothing, 0Startup a, 1Inner a, 2Innermost a, 0Create b, 0Late a"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
}

func TestBarsSplitWithoutLosingAPart(t *testing.T) {
	wait := func(us int64) *int64 { return &us }
	for _, tt := range []struct {
		took    int64
		wait    *int64
		columns int
		want    [3]int
	}{
		{100, nil, 7, [3]int{0, 0, 7}}, {100, wait(0), 7, [3]int{7, 0, 0}}, {100, wait(100), 7, [3]int{0, 7, 0}},
		{1000, wait(1), 5, [3]int{4, 1, 0}}, {1000, wait(999), 5, [3]int{1, 4, 0}}, {1000, wait(600), 1, [3]int{0, 1, 0}},
		{1000, wait(400), 1, [3]int{1, 0, 0}}, {0, wait(0), 1, [3]int{0, 0, 1}}, {100, wait(500), 4, [3]int{0, 4, 0}},
	} {
		r := newRow(v1alpha1.Phase{DurationMicroseconds: tt.took, WaitMicroseconds: tt.wait}, 0)
		cpu, waiting, unmeasured := r.Split(tt.columns)
		if got := [3]int{cpu, waiting, unmeasured}; got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
		if r.OnCPU+r.Waiting+r.Unmeasured != tt.took {
			t.Errorf("%+v: the parts do not sum up: %+v", tt, r)
		}
	}
}

func TestTicksAreRoundAndFew(t *testing.T) {
	for total, want := range map[int64]string{
		1: "0 1µs", 7: "0 2µs 4µs 6µs", 4_531_647: "0 1s 2s 3s 4s", 999: "0 200µs 400µs 600µs 800µs", 12_400_000: "0 5s 10s", 600_000_000: "0 3m20s 6m40s 10m00s", 1_500: "0 500µs 1ms 1.5ms",
	} {
		var got []string
		for _, tick := range (Grid{Width: 55, Total: total}).Ticks() {
			got = append(got, tick.Label)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%d: %v, want %s", total, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for us, want := range map[int64]string{
		0: "0", 1: "1µs", 999: "999µs", 1000: "1.00ms", 9_994: "9.99ms", 9_995: "10.0ms", 10_000: "10.0ms", 99_949: "99.9ms", 99_950: "100ms", 100_000: "100ms",
		999_499: "999ms", 999_500: "1.00s", 4_531_647: "4.53s", 9_994_999: "9.99s", 9_995_000: "10.0s", 59_949_999: "59.9s", 60_000_000: "1m00s", 3_600_000_000: "1h00m", -5: "-5µs",
	} {
		if got := span(us); got != want {
			t.Errorf("span(%d) = %q, want %q", us, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                  "plain",
		"a\x1b[2Jb":              "a[2Jb",
		"a\u009b2Jb\x7f":         "a2Jb",
		"line\r\nline\ttab":      "line  line tab",
		"\u202egnp.exe\u2066":    "gnp.exe",
		"zero\u200bwidth\ufeff":  "zerowidth",
		"\xff\xfe":               "\ufffd",
		"日本語 ü":                  "日本語 ü",
		"sep\u2028par\u2029\x00": "sep par ",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWrapKeepsEveryWord(t *testing.T) {
	const s = "a text of some words and averyveryverylongonewithoutanyblank 日本語日本語日本語"
	for width := 2; width < 80; width++ {
		lines := wrap(s, width)
		for _, l := range lines {
			if cells(l) > width {
				t.Errorf("width %d: %q", width, l)
			}
		}
		if strings.ReplaceAll(strings.Join(lines, ""), " ", "") != strings.ReplaceAll(s, " ", "") {
			t.Errorf("width %d: %q", width, lines)
		}
	}
}
