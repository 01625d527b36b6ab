// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// recorded is a recording with what cpu.stat showed at other limits.
type recorded struct {
	Name      string          `json:"name"`
	Spec      string          `json:"spec"`
	Recording event.Recording `json:"recording"`
	Measured  []struct {
		Quota     uint64 `json:"quota"`
		Periods   int    `json:"periods"`
		Throttled int    `json:"throttled"`
		Self      bool   `json:"self"`
	} `json:"measured"`
}

func readRecorded(t *testing.T, path string) recorded {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := json.NewDecoder(z).Decode(&r); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return r
}

// told is how the streams were judged.
func (w *workload) told() string {
	n := map[verdict]int{}
	var text string
	for _, s := range w.judged {
		n[s.verdict] += len(s.acts)
		if len(s.steps) >= few && text == "" {
			text = fmt.Sprintf("gaps %.1f steps %.1f ms slope %.2f overlaps %.2f", quartiles(s.gaps)/ms, quartiles(s.steps)/ms, s.slope(), s.overlaps())
		}
	}
	return fmt.Sprintf("unsure %d open %d grid %d closed %d, kappa %.2f+-%.2f (closed %.2f), stalls %d, taken %.2f; %s", n[unsure], n[open], n[grid], n[closed], w.kappa, w.kappaErr, w.kappaClosed, len(w.stalls), w.taken, text)
}

// TestValidate prints a table for recordings of one's own: COUNTERFACTUAL_RECORDINGS
// is their directory.
func TestValidate(t *testing.T) {
	dir := os.Getenv("COUNTERFACTUAL_RECORDINGS")
	if dir == "" {
		t.Skip("COUNTERFACTUAL_RECORDINGS is not set")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.json.gz"))
	var sum, worst float64
	n, covered := 0, 0
	for _, file := range files {
		r := readRecorded(t, file)
		w := newWorkload(r.Recording, DefaultConfig())
		t.Logf("%s: %s: %d bursts, recorded at %d ms, closed %.2f", r.Name, r.Spec, len(r.Recording.Bursts), r.Recording.Before[0].Quota/ms, w.closed)
		t.Logf("  %s", w.told())
		for _, m := range r.Measured {
			got := float64(m.Throttled) / float64(max(m.Periods, 1))
			p := Predict(r.Recording, m.Quota, Config{})
			e := p.Throttled - got
			others := ""
			for _, plan := range w.others {
				o := w.replay(plan, int64(m.Quota), ownBurst(r.Recording))
				others += fmt.Sprintf(" %.3f", share(o.worst()))
			}
			flag := ""
			if got < p.Low || got > p.High {
				flag = "OUT"
			}
			if math.Abs(e) > 0.05 {
				flag += " !"
			}
			t.Logf("  %4d ms: measured %.3f (%d periods) predicted %.3f (%.3f..%.3f, %d) error %+.3f %s [%s]", m.Quota/ms, got, m.Periods, p.Throttled, p.Low, p.High, p.Periods, e, flag, others)
			if !m.Self {
				n++
				sum += math.Abs(e)
				worst = max(worst, math.Abs(e))
				if got >= p.Low && got <= p.High {
					covered++
				}
			}
		}
	}
	t.Logf("%d cells: mean error %.3f, max %.3f, covered %d", n, sum/float64(max(n, 1)), worst, covered)
}
