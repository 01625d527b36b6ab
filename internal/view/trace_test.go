// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// overlapping is the certificate of a birth whose phases of one track overlap.
func overlapping(t *testing.T) *v1alpha1.PodBirthCertificate {
	t.Helper()
	c := certificate(t, "many")
	c.Spec.Phases = append(c.Spec.Phases,
		v1alpha1.Phase{Name: "ContainerCreate", Container: "web", StartMicroseconds: 3_650_000, DurationMicroseconds: 100_000},
		v1alpha1.Phase{Name: "Novelty", StartMicroseconds: 10, DurationMicroseconds: 0},
		v1alpha1.Phase{Name: "Network", StartMicroseconds: 150_000, DurationMicroseconds: 30_001},
		v1alpha1.Phase{Name: "Network", StartMicroseconds: 160_000, DurationMicroseconds: 90_000})
	return c
}

// parsed reads a trace as strictly as its viewers do, or more.
func parsed(t *testing.T, raw []byte) trace {
	t.Helper()
	var out trace
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	if out.Unit != "ms" && out.Unit != "ns" {
		t.Errorf("displayTimeUnit %q", out.Unit)
	}
	return out
}

func TestTracesAreWellFormed(t *testing.T) {
	for name, c := range map[string]*v1alpha1.PodBirthCertificate{
		"web": certificate(t, "web"), "full": certificate(t, "full"), "many": certificate(t, "many"), "failed": certificate(t, "failed"),
		"bare": certificate(t, "bare"), "hostile": hostile(t), "overlapping": overlapping(t),
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Perfetto(&out, c); err != nil {
				t.Fatal(err)
			}
			tr := parsed(t, out.Bytes())
			names, sorted := map[int]string{}, map[int]bool{}
			count := map[string]int{}
			for _, e := range tr.Events {
				count[e.Kind+e.Category]++
				switch {
				case e.Name == "" || e.Process != tracePod || e.Time < 0:
					t.Errorf("event %+v", e)
				case e.Kind == "M" && e.Name == "thread_name":
					names[e.Track], _ = e.Args["name"].(string)
				case e.Kind == "M" && e.Name == "thread_sort_index":
					sorted[e.Track] = true
				case e.Kind == "M" && e.Name == "process_name":
				case e.Kind == "X":
					if e.Duration == nil || *e.Duration < 0 || e.Scope != "" || names[e.Track] == "" || !sorted[e.Track] {
						t.Errorf("slice %+v", e)
					}
				case e.Kind == "i":
					if e.Duration != nil || e.Scope != "t" || names[e.Track] == "" || !sorted[e.Track] {
						t.Errorf("instant %+v", e)
					}
				default:
					t.Errorf("event %+v", e)
				}
			}
			if count["Xphase"] != len(c.Spec.Phases) || count["ievent"] != len(c.Spec.Timeline) || count["imilestone"] != len(marks(&c.Spec.Milestones)) || count["Xbirth"] != 1 {
				t.Errorf("events: %v", count)
			}
			distinct := map[string]bool{}
			for _, n := range names {
				distinct[n] = true
			}
			if len(distinct) != len(names) {
				t.Errorf("two tracks of one name: %v", names)
			}
			checkNesting(t, tr.Events)
		})
	}
}

// checkNesting holds that the slices of a track are in order and that none
// crosses the end of one that it began in.
func checkNesting(t *testing.T, all []traceEvent) {
	t.Helper()
	last, open := map[int]int64{}, map[int][]int64{}
	for _, e := range all {
		if e.Kind == "M" {
			continue
		}
		if e.Time < last[e.Track] {
			t.Errorf("out of order: %+v", e)
		}
		last[e.Track] = e.Time
		if e.Kind != "X" {
			continue
		}
		ends := open[e.Track]
		for len(ends) > 0 && ends[len(ends)-1] <= e.Time {
			ends = ends[:len(ends)-1]
		}
		to := e.Time + *e.Duration
		if len(ends) > 0 && to > ends[len(ends)-1] {
			t.Errorf("%s crosses the end of the slice that it began in", e.Name)
		}
		open[e.Track] = append(ends, to)
	}
}

func TestOverlapsGetTracksOfTheirOwn(t *testing.T) {
	var got []string
	for _, track := range tracks(overlapping(t)) {
		for _, e := range track.events {
			if e.Kind == "X" && (e.Name == "Network" || e.Name == "Novelty" || track.name == "Runtime web (2)") {
				got = append(got, track.name+": "+e.Name)
			}
		}
	}
	const want = "CNI: Network, CNI: Network, CNI (2): Network, Phases: Novelty, Runtime web (2): ContainerCreate"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
}

func TestTrace(t *testing.T) {
	var out bytes.Buffer
	if err := Perfetto(&out, certificate(t, "full")); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/full.perfetto.golden", out.Bytes())
}
