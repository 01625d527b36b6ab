// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// kept are recordings of a scene in the order in which they are made. A thread without
// rest is throttled in the periods that the counters say.
func kept(t *testing.T, folder string, s scene) {
	t.Helper()
	n := 0
	for i := range repeats {
		for k := range s.Limits {
			n++
			quota := uint64(quotaOf(s.Limits[order(i, k)]))
			before := event.Group{Quota: quota, Period: uint64(period), Expires: 1e9}
			after := before
			after.Time, after.Periods, after.Throttled = 4e9, 40, uint32(10*i+k)
			rec := event.Recording{From: 1e9, To: 5e9, CPUs: 2, Before: []event.Group{before}, After: []event.Group{after}}
			for at := uint64(1e9); at < 5e9; at += 1e8 {
				rec.Bursts = append(rec.Bursts, event.Burst{TID: 1, Woken: at, Ended: at + 1e8, CPU: quota, Waker: event.WakerNone, GoesOn: true})
			}
			if err := store(fmt.Sprintf("%s/%s-%d.json.gz", folder, s.Name, n), rec); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Predictions made anew come from the recording of their own limit and repeat, whatever
// the order in which these were made.
func TestAnew(t *testing.T) {
	folder := t.TempDir()
	s := scene{Name: "x", Limits: [3]float64{0.2, 0.4, 0.8}}
	kept(t, folder, s)
	r := result{Scene: s, Ours: make([]path, 3)}
	for range repeats {
		r.Repeats = append(r.Repeats, []window{{Limit: 0.2}, {Limit: 0.4}, {Limit: 0.8}})
	}
	done := map[string]result{"x": r, "not kept": {Scene: scene{Name: "not kept", Limits: s.Limits}}}
	if err := anew(done, folder, player{}); err != nil {
		t.Fatal(err)
	}
	got := done["x"]
	if !got.Anew || done["not kept"].Anew {
		t.Errorf("%v, %v", got.Anew, done["not kept"].Anew)
	}
	for i, row := range got.Repeats {
		for at, w := range row {
			if want := 10*i + order(i, at); w.Heard.Throttled != want || len(w.Predicted) != 3 {
				t.Errorf("repeat %d at %.1f: %+v, want %d throttled", i, w.Limit, w.Heard, want)
			}
		}
	}
}
