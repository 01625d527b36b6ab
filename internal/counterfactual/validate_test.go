// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"compress/gzip"
	"encoding/json"
	"flag"
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

func readRecorded(t testing.TB, path string) recorded {
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
			slope, err := s.slope()
			text = fmt.Sprintf("gaps %.1f steps %.1f ms slope %.2f+-%.2f overlaps %.2f", quartiles(s.gaps)/ms, quartiles(s.steps)/ms, slope, err, s.overlaps())
		}
	}
	return fmt.Sprintf("unsure %d open %d grid %d closed %d, kappa %.2f+-%.2f (closed %.2f), stalls %d, taken %.2f; %s", n[unsure], n[open], n[grid], n[closed], w.kappa, w.kappaErr, w.kappaClosed, len(w.stalls), w.taken, text)
}

// tally sums up how predictions compare with measurements.
type tally struct {
	cells, covered int
	sum, worst     float64
}

// compare predicts from one recording and logs it beside what was measured.
func (c *tally) compare(t *testing.T, r recorded) {
	t.Helper()
	w := newWorkload(r.Recording, DefaultConfig().withDefaults(r.Recording))
	t.Logf("%s: %s: %d bursts, recorded at %d ms, closed %.2f", r.Name, r.Spec, len(r.Recording.Bursts), r.Recording.Before[0].Quota/ms, w.closed)
	t.Logf("  %s", w.told())
	for _, m := range r.Measured {
		got := float64(m.Throttled) / float64(max(m.Periods, 1))
		p := Predict(r.Recording, m.Quota, Config{})
		e := p.Throttled - got
		covered := got >= p.Low && got <= p.High
		t.Logf("  %4d ms: measured %.3f (%d periods) predicted %.3f (%.3f..%.3f) error %+.3f covered %v", m.Quota/ms, got, m.Periods, p.Throttled, p.Low, p.High, e, covered)
		if m.Self {
			continue // the recording itself: no prediction
		}
		c.cells++
		c.sum += math.Abs(e)
		c.worst = max(c.worst, math.Abs(e))
		if covered {
			c.covered++
		}
	}
}

func (c *tally) directory(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in %s: %v", dir, err)
	}
	for _, file := range files {
		c.compare(t, readRecorded(t, file))
	}
	t.Logf("%d cells: mean error %.3f, max %.3f, covered %d", c.cells, c.sum/float64(c.cells), c.worst, c.covered)
}

const ours = "testdata"

var recordings = flag.String("recordings", ours, "directory of the recordings to replay")

// TestRecordings holds the model to real recordings and what the kernel counted at
// other limits (testdata/README.md). The bounds are what it reaches there, with a
// little room; the machine was busy. With -recordings it tells of those of another
// directory, which no bound is held to.
func TestRecordings(t *testing.T) {
	var c tally
	c.directory(t, *recordings)
	if *recordings != ours {
		return
	}
	if m := c.sum / float64(c.cells); m > 0.06 || c.worst > 0.18 {
		t.Errorf("mean error %.3f, max %.3f", m, c.worst)
	}
	if float64(c.covered) < 0.93*float64(c.cells) {
		t.Errorf("%d of %d intervals contain what was measured", c.covered, c.cells)
	}
}
