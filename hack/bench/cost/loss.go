// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/subject"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// storms of events, by how they are made.
const (
	howFork = "fork"
	howExec = "exec"
)

// eventsOf is how many events of a birth's processes one of a storm's is: a fork and
// an exit, or an exec between them.
var eventsOf = map[string]float64{howFork: 2, howExec: 3}

// lossRow is one storm. Rates are those of a second.
type lossRow struct {
	How    string  `json:"how"`
	Makers int     `json:"makers"`
	Asked  float64 `json:"asked"` // of each maker; 0: as many as can be
	Made   float64 `json:"made"`
	Events float64 `json:"events"`
	// Told is which part of what was made user space was told of.
	Told float64            `json:"told"`
	Lost map[string]float64 `json:"lost"`
	// Cores that the observer used.
	Cores float64 `json:"cores"`
}

func measureLoss(ctx context.Context, b *bench) (any, error) {
	var rows []lossRow
	for _, how := range []string{howFork, howExec} {
		for _, step := range []struct {
			makers int
			rate   float64
		}{{1, 2000}, {1, 10_000}, {1, 0}, {runtime.NumCPU(), 0}} {
			b.progress("%s, %d at a time, %.0f a second", how, step.makers, step.rate)
			row, err := b.storms(ctx, how, step.makers, step.rate)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// storms makes events in sessions that are heard, with the observer's own reader and
// engine at work.
func (b *bench) storms(ctx context.Context, how string, makers int, rate float64) (row lossRow, err error) {
	s, err := b.observe(ctx)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, s.End(), b.clearPods()) }()
	if err := b.arm(ctx, s); err != nil {
		return row, err
	}
	uid := b.uid()
	id := strings.Repeat(strings.ReplaceAll(uid, "-", ""), 2)
	if err := b.groups.Mkdir(groupPods + "/burstable/pod" + uid + "/" + id); err != nil {
		return row, err
	}
	before, err := b.groups.CPU("observer")
	if err != nil {
		return row, err
	}
	made, took, err := b.runStorms(how, id, makers, rate)
	if err != nil {
		return row, err
	}
	used, err := b.groups.CPU("observer")
	if err != nil {
		return row, err
	}
	row = lossRow{
		How: how, Makers: makers, Asked: rate, Made: made / took, Events: made / took * eventsOf[how],
		Lost: map[string]float64{}, Cores: (used - before).Seconds() / took,
	}
	// The observer tells once a second; what lay in the ring comes within it.
	if err := s.Wait(ctx, 2500*time.Millisecond); err != nil {
		return row, err
	}
	text, err := s.Get("/metrics")
	if err != nil {
		return row, err
	}
	told, _ := subject.Sum(text, fmt.Sprintf("kernel_gossip_observer_events_total{kind=%q}", event.Exit))
	told -= float64(makers) // their own ends
	row.Told = told / made
	for _, what := range []string{"events", "sessions", "members", "skipped", "overflows"} {
		row.Lost[what], _ = subject.Sum(text, fmt.Sprintf("kernel_gossip_observer_lost_total{what=%q}", what))
	}
	return row, nil
}

func (b *bench) runStorms(how, id string, makers int, rate float64) (made, took float64, err error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for range makers {
		all.Go(func() {
			c := exec.Command(b.storm(), "create", "--bundle", b.folder, id)
			c.Env = []string{"STORM_HOW=" + how, fmt.Sprintf("STORM_SECONDS=%g", b.scale.storm.Seconds()), fmt.Sprintf("STORM_RATE=%g", rate)}
			out, failed := c.Output()
			var n, ns float64
			if failed == nil {
				_, failed = fmt.Sscan(string(out), &n, &ns)
			}
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("make events: %w", failed))
			}
			made, took = made+n, max(took, ns/1e9)
		})
	}
	all.Wait()
	return made, took, err
}
