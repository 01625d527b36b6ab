// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// around is a spread whose median lies within so much of a figure.
func around(figure, by float64) spread {
	return spread{Median: figure, Low: figure - by, High: figure + by, Min: figure - 2*by, Max: figure + 2*by, N: 9}
}

func sample(t *testing.T) results {
	t.Helper()
	r := results{}
	at := time.Date(2026, 11, 26, 0, 5, 0, 0, time.UTC)
	put := func(name string, result any) {
		t.Helper()
		if err := r.add(name, partResult{Started: at, Took: 60, Kernel: "Linux 6.18", CPUs: 2, Load: 0.1}, result); err != nil {
			t.Fatal(err)
		}
	}
	wall := map[string]map[string]spread{}
	for _, state := range states {
		wall[state] = map[string]spread{}
		for _, name := range workloads {
			wall[state][name] = around(1.002, 0.001)
		}
	}
	put("slowdown", slowdowns{Wall: wall, CPU: wall, Each: map[string]float64{workloads[0]: 160}})
	put("lean-in", wholeLean{Workload: workloads[1], Long: 10e9, Wall: around(1.01, 0.01), CPU: around(1.01, 0.01), Bursts: around(50_100, 50), Listened: around(6e8, 1e7)})
	put("bystander", bystander{Nothing: around(260, 2), Empty: around(450, 3), Ours: around(75, 5), After: around(0.1, 0.3)})
	put("idle", idleness{Observer: map[string]idleOf{"100": {Cores: around(0.002, 0.0001), Resident: around(49, 0.1)}, "250": {Cores: around(0.004, 0.0001)}},
		Pollers: map[string]map[string]idleOf{"1s": {"250": {Cores: around(0.012, 0.0001)}}, "100ms": {"250": {Cores: around(0.12, 0.001)}}}})
	put("loss", []lossRow{{How: howFork, Makers: 2, Events: 80_000, Told: 1}})
	put("rivals", []rivalRow{
		{Name: nobody}, {Name: observed, Extra: around(2, 0.1)}, {Name: "strace -c -f", Extra: around(30, 1)}, {Name: "ig", Missing: "no kprobes"},
	})
	return r
}

func TestRenderTellsTheAims(t *testing.T) {
	var out bytes.Buffer
	render(&out, sample(t))
	for _, want := range []string{
		"| at rest, each of four workloads at most 0.5 % slower, by the wall | system calls +0.20 %, switches +0.20 %, forks +0.20 %, network +0.20 % | met |",
		"| a lean-in on switches: at most 5 % slower over the 10s that it may take | +1.00 % (+0.00 % to +2.00 %) | met |",
		"Switches for 10s during which one began, with its replay beside, took +1.00 %",
		"50100 bursts were heard in the first 600ms.",
		"| at most 0.3 % of a core with 100 pods | 0.20 % | met |",
		"| 75 ns (70 to 80) | **not met** |",
		"| an empty program on the exit | 450 (447 to 453) |",
		"| nothing once disarmed | 0.1 ns (-0.2 to 0.4) | met |",
		"| 80000, all that this machine could make, without loss | not reached by this machine, nothing lost |",
		"| times as much: strace -c -f: 15.0 (13.8 to 16.3) | met |",
		"| times as much CPU with 250 pods: 3.0 (2.9 to 3.1) every 1s, 30.0 (29.0 to 31.0) every 100ms | **not met** |",
		"not measured: no kprobes",
		"Linux 6.18, 2 CPUs",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "-quick") {
		t.Error("a figure is no number, or the run is called quick")
	}
}

// Results of when the empty programs were on the entry as well are not told as today's.
func TestABystanderOfBefore(t *testing.T) {
	r := results{"bystander": {Result: []byte(`{"empty":{"n":9,"median":478},"slow":{"n":9,"median":218},"ours":{"n":9,"median":49}}`)}}
	var out bytes.Buffer
	renderAims(&out, r)
	renderBystander(&out, r)
	if text := out.String(); strings.Contains(text, "478") || strings.Contains(text, "218") || strings.Contains(text, "49") || !strings.Contains(text, "not measured") {
		t.Error(text)
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		s    spread
		want string
	}{
		{around(1, 1), met}, {around(5, 1), notMet}, {around(2, 1), cannotBeTold}, {spread{}, "not measured"},
	} {
		if got := within(c.s, 2.5); got != c.want {
			t.Errorf("%+v: %s", c.s, got)
		}
	}
	if worst([]string{met, cannotBeTold, met}) != cannotBeTold || worst([]string{cannotBeTold, notMet}) != notMet || worst([]string{met}) != met {
		t.Error("not the worst")
	}
}

func TestLossEndsTheAim(t *testing.T) {
	rows := []lossRow{
		{How: howFork, Events: 50_000}, {How: howFork, Events: 120_000, Lost: map[string]float64{"events": 3, "skipped": 0}},
	}
	if figure, judged := lossAim(rows); figure != "50000 without loss" || judged != notMet {
		t.Error(figure, judged)
	}
	rows[1].Lost = nil
	if _, judged := lossAim(rows); judged != met {
		t.Error(judged)
	}
}

func TestTimesBoundWhatIsWithinTheNoise(t *testing.T) {
	theirs := rivalRow{Name: "strace", Extra: around(30, 1)}
	if got := times(theirs, around(0.5, 1)); got != "at least 19.3 (ours is within the noise)" {
		t.Error(got)
	}
	if got := times(rivalRow{Name: "x", Extra: around(0, 1)}, around(2, 1)); got != "0.0 (0.0 to 1.0)" {
		t.Error(got)
	}
	if _, ok := ratioOf(around(1, 0.1), around(-2, 1)); ok {
		t.Error("a ratio to less than nothing")
	}
	for _, c := range []struct {
		theirs float64
		want   string
	}{{30, met}, {3, notMet}, {10, cannotBeTold}} {
		rows := []rivalRow{{Name: observed, Extra: around(2, 0.5)}, {Name: "x", Extra: around(c.theirs, 0.5)}}
		if _, got := rivalAim(rows); got != c.want {
			t.Errorf("%v: %s", c.theirs, got)
		}
	}
}

func TestChooseGoesOnWhereItStopped(t *testing.T) {
	now := time.Date(2026, 11, 26, 1, 0, 0, 0, time.UTC)
	some := results{"programs": {Started: now.Add(-time.Hour)}, "idle": {Started: now.Add(-time.Hour), Quick: true}}
	missing, kept := choose(options{}, some, now)
	if len(missing) != len(parts)-1 || len(kept) != 1 {
		t.Errorf("to do %d, kept %d", len(missing), len(kept))
	}
	if missing, _ := choose(options{}, results{"programs": {Started: now.Add(-24 * time.Hour)}}, now); len(missing) != len(parts) {
		t.Error("a run of yesterday is gone on with")
	}
	all := results{}
	for _, p := range parts {
		all[p.name] = partResult{Started: now}
	}
	if missing, _ := choose(options{}, all, now); len(missing) != len(parts) {
		t.Error("a complete run is not measured anew")
	}
	if missing, kept := choose(options{parts: []string{"loss"}}, all, now); len(missing) != 1 || len(kept) != len(parts) {
		t.Error("a part by name")
	}
}

func TestShortVersion(t *testing.T) {
	for in, want := range map[string]string{"6.18.5-somebody-1": "6.18", "5.10": "5.10", "7": "7"} {
		if got := shortVersion(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestField(t *testing.T) {
	const info = "pos:\t0\nprog_tag:\tab12\nprog_id:\t417\n"
	if n, ok := field(info, "prog_id:"); !ok || n != 417 {
		t.Error(n, ok)
	}
	if _, ok := field(info, "link_id:"); ok {
		t.Error("a field that is not there")
	}
}
