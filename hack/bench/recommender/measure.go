// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/counterfactual"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// probeSeed is the traffic of the search; what follows it is that of the checks of
// our own advice. None of them is what the advice was made from: the repeats have
// 0, 1, 2.
const probeSeed = 99

// secondSeed is the traffic of the second search.
const secondSeed = 199

// lengths of the parts of a scene.
type lengths struct {
	settle time.Duration // after a resize, not measured
	window time.Duration
	listen time.Duration // within a window, from its beginning; longer as the observer does
	probe  time.Duration // longest measurement of the search
	climb  time.Duration // of the feedback rule
}

func usual() lengths {
	return lengths{settle: time.Second, window: 15 * time.Second, listen: 10 * time.Second, probe: 15 * time.Second, climb: 10 * time.Second}
}

// short is for trying the bench out; its figures are not for publication.
func short() lengths {
	return lengths{settle: time.Second / 2, window: 5 * time.Second, listen: 4 * time.Second, probe: 6 * time.Second, climb: 6 * time.Second}
}

// player measures one scene.
type player struct {
	cast     *cast
	recorder *recorder
	lengths  lengths
	target   target
	model    counterfactual.Config
	keep     func(event.Recording) error // what becomes of recordings
}

// reading is the counters of all levels at a moment.
type reading struct {
	levels []stat
	usage  uint64
}

func (p *player) read() (out reading, err error) {
	for _, dir := range p.cast.place.levels() {
		s, err := p.cast.place.read(dir)
		if err != nil {
			return out, err
		}
		out.levels = append(out.levels, s)
	}
	groups, err := p.recorder.read()
	if err == nil {
		out.usage = groups[0].Usage
	}
	return out, err
}

// since is the window from an earlier reading to this one.
func (r reading) since(before reading, limit float64) window {
	took := (r.levels[0].At - before.levels[0].At).Seconds()
	w := window{Limit: limit, Seconds: took, Usage: float64(r.usage-before.usage) / 1e9 / took}
	shares := make([]float64, len(r.levels))
	for i := range r.levels {
		periods, throttled := r.levels[i].Periods-before.levels[i].Periods, r.levels[i].Throttled-before.levels[i].Throttled
		level := window{Periods: periods, Throttled: throttled}
		shares[i] = level.share()
		if i == 0 || shares[i] > w.share() {
			w.Periods, w.Throttled = periods, throttled
		}
	}
	w.Container, w.Pod = shares[0], shares[1]
	return w
}

// resize sets the limit and lets the workload settle.
func (p *player) resize(ctx context.Context, limit float64) error {
	if p.cast.place.limit == quotaOf(limit) {
		return nil
	}
	if err := p.cast.place.resize(limit); err != nil {
		return err
	}
	return sleep(ctx, p.lengths.settle)
}

// begin sets the limit, restarts the traffic and reads the counters.
func (p *player) begin(ctx context.Context, limit float64, seed int) (reading, error) {
	if err := p.resize(ctx, limit); err != nil {
		return reading{}, err
	}
	if err := p.cast.traffic(seed); err != nil {
		return reading{}, err
	}
	return p.read()
}

// measure is a window with a recording within it.
func (p *player) measure(ctx context.Context, limit float64, seed int) (window, event.Recording, error) {
	var rec event.Recording
	before, err := p.begin(ctx, limit, seed)
	if err != nil {
		return window{}, rec, err
	}
	begun := time.Now()
	if rec, err = p.recorder.lean(ctx, p.lengths.listen); err != nil {
		return window{}, rec, err
	}
	if err := sleep(ctx, p.lengths.window-time.Since(begun)); err != nil {
		return window{}, rec, err
	}
	after, err := p.read()
	if err != nil {
		return window{}, rec, err
	}
	if err := p.keep(rec); err != nil {
		return window{}, rec, err
	}
	return withStalls(after.since(before, limit), rec), rec, nil
}

func withStalls(w window, rec event.Recording) window {
	all := stalls(rec)
	w.StallP99, w.Activations, w.Lost = percentile99(all), len(all), rec.Lost
	w.Heard = heard(rec)
	return w
}

// heard is what the counters showed while a recording was made, at the level where
// the share is greatest.
func heard(rec event.Recording) *counted {
	out := &counted{}
	for i := range min(len(rec.Before), len(rec.After)) {
		a, b := rec.Before[i], rec.After[i]
		level := counted{int(b.Periods - a.Periods), int(b.Throttled - a.Throttled)}
		if i == 0 || level.share() > out.share() {
			*out = level
		}
	}
	return out
}

// probe is a measurement of the search: it ends as soon as the limit surely fails.
func (p *player) probe(ctx context.Context, limit float64, seed int) (window, error) {
	before, err := p.begin(ctx, limit, seed)
	if err != nil {
		return window{}, err
	}
	sure, stop := context.WithCancel(context.Background())
	failed := make(chan struct{})
	go func() {
		defer close(failed)
		for sleep(sure, time.Second) == nil {
			now, err := p.read()
			if w := now.since(before, limit); err == nil && decided(w.Throttled, w.Periods, p.target.share) {
				return
			}
		}
	}()
	rec, err := p.recorder.recordUntil(ctx, p.lengths.probe, failed)
	stop()
	<-failed
	if err != nil {
		return window{}, err
	}
	after, err := p.read()
	return withStalls(after.since(before, limit), rec), err
}

// predict is what a recording gives for some limits, over as long a time as they are
// measured.
func (p *player) predict(rec event.Recording, limits []float64) []predicted {
	model := p.model
	model.Horizon = max(p.lengths.window, time.Duration(rec.To-rec.From))
	var out []predicted
	for _, l := range limits {
		r := counterfactual.Predict(rec, uint64(quotaOf(l)), model)
		out = append(out, predicted{Limit: l, Share: r.Throttled, Low: r.Low, High: r.High, StallP99: r.StallP99})
	}
	return out
}

// advise is what a recording recommends. Where it cannot know it gives the limit
// to measure at next. It is what the observer makes of the recording: that knows of
// no horizon.
func (p *player) advise(rec event.Recording) advice {
	model := p.model
	model.Horizon = 0
	r := counterfactual.Replay(rec, model)
	switch {
	case r.Best >= 0:
		return advice{Limit: cores(r.Curve[r.Best].Quota), AtLeast: r.LowerBound}
	case r.LowerBound && len(r.Curve) > 0:
		return advice{Limit: cores(r.Curve[len(r.Curve)-1].Quota), AtLeast: true}
	}
	return advice{}
}

func cores(quota uint64) float64 { return float64(quota) / float64(period) }
