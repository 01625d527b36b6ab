// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Values of the label "kind".
const (
	kindCertificate = "PodBirthCertificate"
	kindWhisper     = "KernelWhisper"
)

// Values of the label "result" of resizes.
const (
	resizeRaised    = "raised"
	resizeBackedOut = "backed_out"
	resizeFailed    = "failed"
)

// Telemetry counts what the operator did. Its labels take few fixed values,
// which are all present from the start.
type Telemetry struct {
	verdicts  *prometheus.CounterVec
	deletions *prometheus.CounterVec
	requests  *prometheus.CounterVec
	resizes   *prometheus.CounterVec
	track     record
}

// NewTelemetry registers the counters.
func NewTelemetry(registry prometheus.Registerer) (*Telemetry, error) {
	t := &Telemetry{
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kernel_gossip_operator_verdicts_total",
			Help: "Status writes: verdicts that differed from what the API server held.",
		}, []string{"kind"}),
		deletions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kernel_gossip_operator_deletions_total",
			Help: "Objects deleted, because of their age or because their namespace held too many.",
		}, []string{"kind", "reason"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kernel_gossip_operator_metrics_api_requests_total",
			Help: "Questions to metrics.k8s.io, by answer: a figure, none for this container, or an error.",
		}, []string{"result"}),
	}
	t.resizes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kernel_gossip_operator_resizes_total",
		Help: "Changes of a pod's CPU limit by the automation: raised, backed out, or refused by the API server.",
	}, []string{"result"})
	t.track = newRecord()
	for _, c := range append([]prometheus.Collector{t.verdicts, t.deletions, t.requests, t.resizes}, t.track.collectors()...) {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metric: %w", err)
		}
	}
	t.initialise()
	return t, nil
}

func (t *Telemetry) initialise() {
	for _, kind := range []string{kindCertificate, kindWhisper} {
		t.verdicts.WithLabelValues(kind)
		for _, reason := range []Reason{ReasonAge, ReasonCount} {
			t.deletions.WithLabelValues(kind, string(reason))
		}
	}
	for _, result := range []string{resultFigure, resultNone, resultError} {
		t.requests.WithLabelValues(result)
	}
	for _, result := range []string{resizeRaised, resizeBackedOut, resizeFailed} {
		t.resizes.WithLabelValues(result)
	}
	t.track.initialise()
}
