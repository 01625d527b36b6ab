// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	repeats = 3
	// The null repeat measures the middle limit once more, with the first traffic.
	nullAt, nullRepeat = 1, 0
)

// play measures a scene: its limits in turn, again and again; what recommenders
// make of them; and the oracle.
func (p *player) play(ctx context.Context, sc scene, cpus int, say func(string, ...any)) (result, error) {
	r := result{Scene: sc, CPUs: cpus, Started: time.Now().UTC()}
	if err := sleep(ctx, 2*p.lengths.settle); err != nil { // the start is not the workload
		return r, err
	}
	var recs [][]event.Recording
	for i := range repeats {
		row, heard, err := p.repeat(ctx, sc, i, say)
		if err != nil {
			return r, err
		}
		r.Repeats, recs = append(r.Repeats, row), append(recs, heard)
	}
	r.Joined = p.joined(recs)
	var err error
	if r.Null, _, err = p.measure(ctx, sc.Limits[nullAt], nullRepeat); err != nil {
		return r, err
	}
	if err := p.recommend(ctx, &r, say); err != nil {
		return r, err
	}
	if err := p.search(ctx, &r, float64(cpus), say); err != nil {
		return r, err
	}
	if err := p.searchAgain(ctx, &r, float64(cpus), say); err != nil {
		return r, err
	}
	err = p.climbs(ctx, &r, say)
	r.Took = time.Since(r.Started).Seconds()
	return r, err
}

// order is which limit comes as the k-th of a repeat: up, down, up. What drifts hits
// all alike.
func order(repeat, k int) int {
	if repeat%2 == 1 {
		return len(scene{}.Limits) - 1 - k
	}
	return k
}

// repeat measures each limit once, and predicts from each all others.
func (p *player) repeat(ctx context.Context, sc scene, n int, say func(string, ...any)) ([]window, []event.Recording, error) {
	row, recs := make([]window, len(sc.Limits)), make([]event.Recording, len(sc.Limits))
	for k := range sc.Limits {
		i := order(n, k)
		w, rec, err := p.measure(ctx, sc.Limits[i], n)
		if err != nil {
			return nil, nil, err
		}
		w.Predicted = p.predict(rec, sc.Limits[:])
		if n == 0 {
			a := p.advise(rec)
			w.Advice = &a
		}
		row[i], recs[i] = w, rec
		say("%s at %.3g cores: %.1f %% throttled, p99 stall %s, usage %.3f, %d activations", sc.Name, w.Limit, 100*w.share(), w.StallP99.Round(100*time.Microsecond), w.Usage, w.Activations)
	}
	return row, recs, nil
}

// recommend follows our own advice from each limit: where it says "at least", it is
// applied and measured again.
func (p *player) recommend(ctx context.Context, r *result, say func(string, ...any)) error {
	for _, w := range r.Repeats[0] {
		way, err := p.follow(ctx, r, w)
		if err != nil {
			return err
		}
		r.Ours = append(r.Ours, way)
		say("%s from %.3g cores: ours is %.3f cores in %d steps", r.Scene.Name, way.From, way.Final, way.Steps)
	}
	return nil
}

// most steps that are followed.
const patience = 4

func (p *player) follow(ctx context.Context, r *result, from window) (path, error) {
	way := path{From: from.Limit}
	a := *from.Advice
	for a.Limit > 0 {
		way.Steps++
		way.Final = a.Limit
		if m := nearest(r.Probes, a.Limit); m != nil && !a.AtLeast {
			way.Measured = m
			return way, nil
		}
		w, rec, err := p.measure(ctx, a.Limit, probeSeed+way.Steps)
		if err != nil {
			return way, err
		}
		more := a.AtLeast
		a = p.advise(rec)
		w.Predicted, w.Advice = p.predict(rec, r.Scene.Limits[:]), &a
		r.Probes = append(r.Probes, w)
		way.Measured = &w
		if !more || way.Steps == patience || within(a.Limit, w.Limit) {
			return way, nil
		}
	}
	return way, nil
}

func within(a, b float64) bool { return a < b*same && b < a*same }

// nearest is a measurement that speaks for a limit. The repeats do not: the advice
// came from their traffic.
func nearest(all []window, limit float64) *window {
	for _, w := range all {
		if within(w.Limit, limit) {
			return &w
		}
	}
	return nil
}

func (r *result) windows() []window { return append(slices.Concat(r.Repeats...), r.Probes...) }

// search finds the smallest limit that meets the target.
func (p *player) search(ctx context.Context, r *result, most float64, say func(string, ...any)) error {
	for range 12 { // more than it takes to halve any bracket
		limit, more := next(judge(r.windows(), p.target), most)
		if !more {
			break
		}
		w, err := p.probe(ctx, limit, probeSeed)
		if err != nil {
			return err
		}
		r.Probes = append(r.Probes, w)
	}
	r.Fails, r.Oracle = bracket(judge(r.windows(), p.target))
	say("%s: the oracle is %.3f cores, %.3f fails", r.Scene.Name, r.Oracle, r.Fails)
	return nil
}

// searchAgain searches with other traffic, from the oracle on, and by nothing else.
func (p *player) searchAgain(ctx context.Context, r *result, most float64, say func(string, ...any)) error {
	if r.Oracle == 0 {
		return nil
	}
	second := &searched{}
	for range 8 {
		limit, more := next(judge(second.Probes, p.target), most)
		if len(second.Probes) == 0 {
			limit = r.Oracle
		} else if !more {
			break
		}
		w, err := p.probe(ctx, limit, secondSeed)
		if err != nil {
			return err
		}
		second.Probes = append(second.Probes, w)
	}
	second.Fails, second.Oracle = bracket(judge(second.Probes, p.target))
	r.Second = second
	say("%s: with other traffic the oracle is %.3f cores, %.3f fails", r.Scene.Name, second.Oracle, second.Fails)
	return nil
}

// climbs runs the feedback rule from each limit: a second, a look, a step.
func (p *player) climbs(ctx context.Context, r *result, say func(string, ...any)) error {
	for _, base := range r.Scene.Limits {
		way, err := p.climb(ctx, base)
		if err != nil {
			return err
		}
		r.Feedback = append(r.Feedback, way)
		say("%s from %.3g cores: feedback ends at %.3f cores in %d steps", r.Scene.Name, base, way.Final, way.Steps)
	}
	return nil
}

func (p *player) climb(ctx context.Context, base float64) (path, error) {
	way := path{From: base, Final: base}
	if err := p.resize(ctx, base); err != nil {
		return way, err
	}
	quiet := 0 // seconds since it was throttled the last time
	for begun := time.Now(); time.Since(begun) < p.lengths.climb && quiet < 5; quiet++ {
		before, err := p.read()
		slept := sleep(ctx, time.Second)
		after, again := p.read()
		if err := errors.Join(err, slept, again); err != nil {
			return way, err
		}
		// It looks at the container's own counters.
		throttled := after.levels[0].Throttled > before.levels[0].Throttled
		if throttled {
			quiet = 0
		}
		limit := feedback(base, way.Final, throttled)
		if limit > way.Final {
			way.Final, way.Steps = limit, way.Steps+1
			if err := p.cast.place.resize(limit); err != nil {
				return way, err
			}
		}
		if way.Final >= base*feedbackCeiling {
			break
		}
	}
	return way, nil
}
