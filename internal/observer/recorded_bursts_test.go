// SPDX-License-Identifier: Apache-2.0

package observer_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
)

// recordedLeanIn is how long the lean-ins of the recordings with bursts were.
const recordedLeanIn = 2 * time.Second

const (
	requestPath = "testdata/request-path.jsonl.gz"
	batch       = "testdata/batch.jsonl.gz"
	contention  = "testdata/contention.jsonl.gz"
)

// heardIn are the lean-ins of a recording.
func heardIn(t *testing.T, file string) []cpu.Heard {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []cpu.Heard
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line struct{ Heard *cpu.Heard }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Heard != nil {
			all = append(all, *line.Heard)
		}
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%d lean-ins, %v", len(all), err)
	}
	return all
}

// The CPU time of all bursts is what the scheduler counted for the cgroup.
func TestRecordedBurstsAddUpToTheCgroup(t *testing.T) {
	for _, file := range []string{requestPath, batch, contention} {
		for _, h := range heardIn(t, file) {
			var sum uint64
			for _, b := range h.Recording.Bursts {
				sum += b.CPU
			}
			counted := h.Recording.After[0].Usage - h.Recording.Before[0].Usage
			if off := math.Abs(float64(sum) - float64(counted)); off > 0.05*float64(counted)+10e6 {
				t.Errorf("%s %s: bursts of %d ns, the cgroup used %d", file, h.Why, sum, counted)
			}
		}
	}
}

func TestRecordedRequestPath(t *testing.T) {
	told := playWith(t, requestPath, recordedLeanIn).whispers["checkout"]
	first, last := told[0].Spec, told[len(told)-1].Spec
	if onset := first.LastSeenTime.Sub(first.StartTime.Time); onset > 3*time.Second || first.Bursts != nil {
		t.Errorf("told %s after the first throttled period, with bursts: %t", onset, first.Bursts != nil)
	}
	i := slices.IndexFunc(told, func(w *v1alpha1.KernelWhisper) bool { return w.Spec.Bursts != nil })
	if i < 0 {
		t.Fatal("no bursts")
	}
	heard := told[i].Spec
	b, k, c := heard.Bursts, heard.KernelTruth, heard.Counterfactual
	if b.Language != "Go" || b.RequestMillicores != 250 || b.CPUs != 2 || b.StalledActivations == 0 || b.NeverSleptPercent != "0.0" {
		t.Errorf("%+v", b)
	}
	// A quarter of a CPU for requests of 10 to 30 ms: whole periods are lost.
	if k.StallP99Microseconds == nil || *k.StallP99Microseconds < 50_000 || k.ThreadTimeLostPercent == "" || k.ContextSwitches == nil {
		t.Errorf("%+v", k)
	}
	if c == nil || len(c.Curve) < 2 || !slices.IsSortedFunc(c.Curve, func(a, b v1alpha1.Predicted) int {
		return int(a.LimitMillicores - b.LimitMillicores)
	}) {
		t.Errorf("%+v", c)
	}
	change := last.Change
	if change == nil || change.FromMillicores != 250 || change.ToMillicores != 1800 || change.Measured == nil {
		t.Fatalf("%+v", change)
	}
	if m := change.Measured; m.QuotaMicroseconds != 180_000 || m.StallP99Microseconds == nil || *m.StallP99Microseconds > 1000 ||
		m.WindowMilliseconds < 19_000 || m.Periods < 50 {
		t.Errorf("%+v", m)
	}
	if last.EndTime == nil {
		t.Error("it has not ended")
	}
	for _, w := range told {
		if raw, err := json.Marshal(w); err != nil || len(raw) > 8*1024 {
			t.Errorf("%d bytes, %v", len(raw), err)
		}
	}
}

// A loop that never waits is held as often, and nobody is hurt.
func TestRecordedBatch(t *testing.T) {
	told := playWith(t, batch, recordedLeanIn).whispers["report"]
	b := told[len(told)-1].Spec.Bursts
	if b == nil || b.NeverSleptPercent != "100.0" || b.OutsideActivations > 2 {
		t.Errorf("%+v", b)
	}
}

func TestRecordedContention(t *testing.T) {
	w := playWith(t, contention, recordedLeanIn).whispers["search"][0]
	s := w.Spec
	if s.Reason != v1alpha1.ReasonCPUContention || s.KernelTruth.QuotaMicroseconds != 0 || s.Counterfactual != nil {
		t.Errorf("%+v", s)
	}
	if p99 := s.KernelTruth.RunQueueWaitP99Microseconds; p99 == nil || *p99 < 20_000 {
		t.Errorf("waits: %v", p99)
	}
	if !slices.ContainsFunc(s.Bursts.Preemptors, func(p v1alpha1.Preemptor) bool { return p.Pod == "encoder" && p.Namespace == "shop" }) {
		t.Errorf("the neighbor is not named: %+v", s.Bursts.Preemptors)
	}
	if s.Bursts.RequestMillicores != 50 {
		t.Errorf("request %dm", s.Bursts.RequestMillicores)
	}
}
