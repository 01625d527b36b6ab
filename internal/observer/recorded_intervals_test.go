// SPDX-License-Identifier: Apache-2.0

package observer_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
)

// thin leaves of a recording's rounds of reading counters every nth: what an
// observer would have read at an interval of n seconds.
func thin(t *testing.T, file string, n int) io.Reader {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var in io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	round, last := 0, uint64(0)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line struct {
			At      uint64
			Group   json.RawMessage
			Node    json.RawMessage
			Missing uint64
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Group != nil || line.Node != nil || line.Missing != 0 {
			if line.At-last > uint64(500*time.Millisecond) {
				round++
			}
			last = line.At
			if round%n != 0 {
				continue
			}
		}
		out.Write(append(lines.Bytes(), '\n'))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if round < 4*n {
		t.Fatalf("%s has %d rounds", file, round)
	}
	return &out
}

// What a budget leaves out of reading counters is not lost: they only grow. The
// same containers have the same episodes, and nobody else has one. In the recording
// of the request path the limit is raised after 5 s, where counters begin anew.
func TestRecordedAtLongerIntervals(t *testing.T) {
	const fiveBirths = "testdata/five-births.jsonl.gz"
	for _, tt := range []struct {
		file     string
		every    int // seconds
		leanIn   time.Duration
		episodes int
	}{
		{sevenBirths, 2, cpu.DefaultConfig().LeanIn, 1}, {sevenBirths, 4, cpu.DefaultConfig().LeanIn, 1},
		{fiveBirths, 4, cpu.DefaultConfig().LeanIn, 0}, {requestPath, 2, recordedLeanIn, 1},
	} {
		want, got := playWith(t, tt.file, tt.leanIn), playFrom(t, thin(t, tt.file, tt.every), tt.leanIn)
		if len(want.whispers) != tt.episodes || len(got.whispers) != tt.episodes || len(got.certificates) != len(want.certificates) {
			t.Errorf("%s every %d s: %d containers and %d births, want %d and %d", tt.file, tt.every,
				len(got.whispers), len(got.certificates), len(want.whispers), len(want.certificates))
		}
		for pod, told := range want.whispers {
			sameEpisodes(t, tt.file, tt.every, episodes(got.whispers[pod]), episodes(told))
		}
	}
}

// episodes are the last whispers of each, in their order.
func episodes(told []*v1alpha1.KernelWhisper) []*v1alpha1.KernelWhisper {
	var all []*v1alpha1.KernelWhisper
	at := map[time.Time]int{}
	for _, w := range told {
		i, known := at[w.Spec.StartTime.Time]
		if !known {
			i = len(all)
			at[w.Spec.StartTime.Time], all = i, append(all, nil)
		}
		all[i] = w
	}
	return all
}

func sameEpisodes(t *testing.T, file string, n int, got, want []*v1alpha1.KernelWhisper) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s every %d s: %d episodes, want %d", file, n, len(got), len(want))
		return
	}
	late := time.Duration(n) * time.Second
	for i, w := range want {
		g := got[i].Spec
		if off := w.Spec.StartTime.Sub(g.StartTime.Time).Abs(); off > late {
			t.Errorf("%s every %d s: begins %s away from where it did", file, n, off)
		}
		if off := g.LastSeenTime.Sub(w.Spec.LastSeenTime.Time).Abs(); off > late {
			t.Errorf("%s every %d s: was last seen %s away from when it was", file, n, off)
		}
		if g.EndTime != nil && w.Spec.EndTime == nil { // the other way a recording may end too soon
			t.Errorf("%s every %d s: has ended", file, n)
		}
		if got, want := share(g.KernelTruth), share(w.Spec.KernelTruth); got < want-0.15 || got > want+0.15 {
			t.Errorf("%s every %d s: %.2f of the periods were throttled, want about %.2f", file, n, got, want)
		}
	}
}

func share(k v1alpha1.KernelTruth) float64 {
	return float64(k.ThrottledPeriods) / float64(max(1, k.Periods))
}
