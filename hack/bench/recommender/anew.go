// SPDX-License-Identifier: Apache-2.0

package main

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// anew predicts again from the recordings that were kept when the results were
// measured: what changed the model needs no measurement to show. Scenes whose
// recordings were not kept stay as they are.
func anew(done map[string]result, folder string, p player) error {
	for name, r := range done {
		err := r.anew(folder, p)
		if errors.Is(err, fs.ErrNotExist) {
			say("%s: %s", name, err)
			continue
		}
		if err != nil {
			return err
		}
		done[name] = r
	}
	return nil
}

func (r *result) anew(folder string, p player) error {
	recs := make([][]event.Recording, repeats)
	n := 0
	for i := range recs {
		recs[i] = make([]event.Recording, len(r.Scene.Limits))
		for k := range r.Scene.Limits {
			n++
			at := order(i, k)
			rec, err := fetch(fmt.Sprintf("%s/%s-%d.json.gz", folder, r.Scene.Name, n))
			if err != nil {
				return err
			}
			if len(rec.Before) == 0 || rec.Before[0].Quota != uint64(quotaOf(r.Scene.Limits[at])) {
				return fmt.Errorf("recording %d of %s was not made at %.2f cores", n, r.Scene.Name, r.Scene.Limits[at])
			}
			recs[i][at] = rec
		}
	}
	for i, row := range recs {
		for at, rec := range row {
			w := &r.Repeats[i][at]
			w.Heard, w.Predicted = heard(rec), p.predict(rec, r.Scene.Limits[:])
		}
	}
	r.adviseAnew(recs[0], p)
	r.Joined = p.joined(recs)
	r.Anew = true
	return nil
}

// adviseAnew takes advice anew where it is one step: what a later recording would say
// of another limit is not known.
func (r *result) adviseAnew(recs []event.Recording, p player) {
	for at, rec := range recs {
		w, a := &r.Repeats[0][at], p.advise(rec)
		if a.AtLeast || w.Advice != nil && w.Advice.AtLeast {
			continue
		}
		w.Advice = &a
		r.Ours[at] = path{From: w.Limit, Final: a.Limit, Steps: 1, Measured: nearest(r.Probes, a.Limit)}
	}
}

// fetch reads a recording that was kept.
func fetch(file string) (rec event.Recording, err error) {
	f, err := os.Open(file)
	if err != nil {
		return rec, fmt.Errorf("read a recording: %w", err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err == nil {
		err = json.NewDecoder(z).Decode(&rec)
	}
	if err != nil {
		return rec, fmt.Errorf("read the recording %s: %w", file, err)
	}
	return rec, nil
}
