// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kernel-gossip/kernel-gossip/internal/cost"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/sink/prometheus"
)

// stalledAfter is how old the engine's last word may be for the observer to
// count as alive; it speaks every second.
const stalledAfter = 30 * time.Second

// state is the engine's last word, for probes and metrics.
type state struct {
	cluster  *cluster
	cost     *cost.Keeper
	examiner *examiner // nil where nobody asks
	mu       sync.Mutex
	stats    observer.Stats
	at       time.Time
}

func (s *state) set(stats observer.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats, s.at = stats, time.Now()
}

func (s *state) alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.at) < stalledAfter
}

func (s *state) snapshot() prometheus.Snapshot {
	s.mu.Lock()
	e := s.stats
	s.mu.Unlock()
	out := prometheus.Snapshot{
		Births: e.Births, BirthsNameless: e.BirthsNameless, BirthsOpen: e.BirthsOpen,
		EpisodesOpen: e.EpisodesOpen, Whispers: e.Whispers, Samples: e.Samples,
		SessionEventsAttributed: e.Attribution.Attributed,
		Cgroups:                 e.Cgroups, Armed: e.Armed, KernelErrors: e.KernelErrors,
		Lost:   lost(e.Loss),
		Events: map[string]uint64{}, SessionEventsDropped: map[string]uint64{},
		LeanIns: map[string]uint64{}, LeanInsUnderWay: e.CPU.UnderWay,
		LeanInsFailed: map[string]uint64{"refused": e.CPU.Refused, "spoiled": e.CPU.Spoiled},
		Bursts:        map[string]uint64{"heard": e.CPU.Bursts, "lost": e.CPU.BurstsLost},
		ReplaySeconds: e.ReplayTime.Seconds(),

		LeanInsRestrained: map[string]uint64{"shortened": e.CPU.Shortened, "refused": e.CPU.Withheld},
		ReadingsSkipped:   e.ReadingsSkipped,
	}
	for why, n := range e.CPU.LeanIns {
		out.LeanIns[string(why)] = n
	}
	for kind, n := range e.Events {
		out.Events[string(kind)] = n
	}
	for role, n := range e.Attribution.Dropped {
		out.SessionEventsDropped[string(role)] = n
	}
	if s.cluster != nil {
		w := s.cluster.sink.Stats()
		out.WritesWaiting = w.Waiting
		out.Writes = map[string]uint64{"written": w.Written, "refused": w.Refused, "dropped": w.Dropped, "retried": w.Retried}
	}
	return out
}

// lost is what was lost, by what the metric calls it.
func lost(l event.Loss) map[string]uint64 {
	return map[string]uint64{"events": l.Events, "sessions": l.Sessions, "members": l.Members, "skipped": l.Skipped, "overflows": l.Overflows}
}

// serve answers probes and scrapes until ctx is done.
func serve(ctx context.Context, address string, s *state) error {
	registry := client.NewRegistry()
	registry.MustRegister(prometheus.NewCollector(s.snapshot), prometheus.NewCostCollector(s.cost.Usage), standingBy(0),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	if s.examiner != nil {
		mux.HandleFunc("GET /doctor", s.examine)
	}
	mux.HandleFunc("GET /healthz", answer(s.alive))
	mux.HandleFunc("GET /readyz", answer(func() bool { return s.alive() && s.cluster.ready() }))
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics and probes: %w", err)
	}
	return nil
}

func answer(ok func() bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if !ok() {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	}
}
