// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroupfs"
	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/seat"
)

// sit takes this node's seat, so that nobody else writes for it. While another
// observer does, this one stands by: nothing is loaded, and probes are answered. What
// it returns gives the seat back. The error is that of ctx, if it is done first.
func sit(ctx context.Context, o *options, log *slog.Logger) (leave func(), err error) {
	hierarchy, err := cgroupfs.Find(o.cgroupRoot)
	if err != nil {
		log.Warn("a second observer of this node would not be noticed", "error", err)
		return func() {}, nil
	}
	waiting, over := context.WithCancel(ctx)
	defer over()
	var answers sync.WaitGroup
	s, err := seat.Take(ctx, hierarchy.Root, o.nodeName, func() {
		log.Warn("another kernel-observer writes for this node: standing by until it ends", "node", o.nodeName)
		if o.listen != "" {
			answers.Go(func() { answerStandingBy(waiting, o.listen, log) })
		}
	})
	over()
	answers.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		log.Warn("a second observer of this node would not be noticed", "error", err)
		return func() {}, nil
	}
	return func() { _ = s.Close() }, nil
}

// answerStandingBy answers probes until ctx is done.
func answerStandingBy(ctx context.Context, address string, log *slog.Logger) {
	server := &http.Server{Addr: address, Handler: standingByAnswers(), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Error("cannot answer probes while standing by", "error", fmt.Errorf("listen: %w", err))
	}
}

// standingByAnswers are those of who stands by: as ready as can be, or a rollout that
// starts the new one first would wait for ever; and without a report, since what this
// node lets be heard is the other's to tell.
func standingByAnswers() http.Handler {
	registry := client.NewRegistry()
	registry.MustRegister(standingBy(1))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	ok := answer(func() bool { return true })
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok)
	mux.HandleFunc("GET /doctor", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, doctor.StandsBy, http.StatusServiceUnavailable)
	})
	return mux
}

// standingBy is the metric that tells a second observer from the one that writes.
func standingBy(v float64) client.Collector {
	return client.NewGaugeFunc(client.GaugeOpts{
		Name: "kernel_gossip_observer_standing_by",
		Help: "1 while another observer writes for this node, and this one waits for it to end.",
	}, func() float64 { return v })
}
