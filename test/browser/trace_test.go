// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// viewed is what the viewer made of a trace. Times are in its unit, milliseconds.
type viewed struct {
	Fault    string
	Warnings []string
	Headings []string
	Tracks   []struct {
		Name   string
		Slices []viewedSlice
	}
}

// viewedSlice is a slice, or an instant as one without duration. Parent is the index of
// the one that it lies in, -1 for none.
type viewedSlice struct {
	Title, Category string
	Start, Duration float64
	Unfinished      bool
	Parent          int
}

// written is an event as it stands in the file. Times are in microseconds.
type written struct {
	Name     string         `json:"name"`
	Category string         `json:"cat"`
	Kind     string         `json:"ph"`
	Time     float64        `json:"ts"`
	Duration float64        `json:"dur"`
	Track    int            `json:"tid"`
	Args     map[string]any `json:"args"`
}

func TestATraceInItsViewer(t *testing.T) {
	for _, name := range certificates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var file bytes.Buffer
			if err := view.Perfetto(&file, certificate(t, name)); err != nil {
				t.Fatal(err)
			}
			pages := http.NewServeMux()
			pages.Handle("/viewer/", http.StripPrefix("/viewer/", http.FileServer(http.Dir(viewer(t)))))
			pages.HandleFunc("/birth.json", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(file.Bytes()) })
			pages.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/trace.html") })
			var got viewed
			see(t, pages, &got)
			if got.Fault != "" || len(got.Warnings) > 0 {
				t.Fatalf("the viewer says: %s %s", got.Fault, got.Warnings)
			}
			checkTracks(t, &got, file.Bytes())
			checkNesting(t, &got)
		})
	}
}

// viewer is the directory of the trace viewer that comes with Go.
func viewer(t *testing.T) string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), "src", "internal", "trace", "traceviewer", "static")
}

// checkTracks holds that the viewer has each event of the file, on the track and at the
// time that the file says, and shows each track's name.
func checkTracks(t *testing.T, got *viewed, file []byte) {
	t.Helper()
	var all struct {
		Events []written `json:"traceEvents"`
	}
	if err := json.Unmarshal(file, &all); err != nil {
		t.Fatal(err)
	}
	names := map[int]string{}
	var want, have []string
	for _, e := range all.Events {
		if e.Kind == "M" {
			if e.Name == "thread_name" {
				names[e.Track], _ = e.Args["name"].(string)
			}
			continue
		}
		want = append(want, fmt.Sprintf("%s: %s %s %.0f+%.0f", names[e.Track], e.Category, e.Name, e.Time, e.Duration))
	}
	for _, track := range got.Tracks {
		if !slices.Contains(got.Headings, track.Name) {
			t.Errorf("no heading %q on the screen: %q", track.Name, got.Headings)
		}
		for _, s := range track.Slices {
			have = append(have, fmt.Sprintf("%s: %s %s %.0f+%.0f", track.Name, s.Category, s.Title, 1000*s.Start, 1000*s.Duration))
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf("the viewer has\n%s\nthe file\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
}

// checkNesting holds that what the viewer draws in a slice lies in it, and that it had to
// end none by itself.
func checkNesting(t *testing.T, got *viewed) {
	t.Helper()
	const rounding = 1e-6 // of milliseconds as a float
	within := 0
	for _, track := range got.Tracks {
		for _, s := range track.Slices {
			if s.Unfinished {
				t.Errorf("%s: the viewer had to end %s", track.Name, s.Title)
			}
			if s.Parent < 0 {
				continue
			}
			within++
			p := track.Slices[s.Parent]
			if s.Start < p.Start-rounding || s.Start+s.Duration > p.Start+p.Duration+rounding {
				t.Errorf("%s: %s is drawn in %s and does not lie in it", track.Name, s.Title, p.Title)
			}
		}
	}
	if within == 0 {
		t.Error("no slice lies in another")
	}
}
