// SPDX-License-Identifier: Apache-2.0

// Package prometheus shows what the observer counts. It reads the counters of
// the stages when it is scraped; no stage knows of it.
package prometheus

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Snapshot is the state of the observer's counters.
type Snapshot struct {
	Births                   map[v1alpha1.Outcome]uint64
	BirthsNameless           uint64
	BirthsOpen, EpisodesOpen int
	Whispers, Samples        uint64
	Events                   map[string]uint64
	SessionEventsAttributed  uint64
	SessionEventsDropped     map[string]uint64
	Lost                     map[string]uint64
	Cgroups                  int
	Armed                    bool
	KernelErrors             uint64
	Writes                   map[string]uint64
	WritesWaiting            int
	// LeanIns that began, by reason, LeanInsFailed by how, and those under way.
	LeanIns, LeanInsFailed map[string]uint64
	LeanInsUnderWay        int
	// LeanInsRestrained by the CPU budget, by how: shortened, refused.
	LeanInsRestrained map[string]uint64
	// ReadingsSkipped are rounds of reading counters that the CPU budget left out.
	ReadingsSkipped uint64
	// Bursts by what became of them: heard, lost.
	Bursts map[string]uint64
	// ReplaySeconds that the model took.
	ReplaySeconds float64
}

// Collector turns snapshots into metrics.
type Collector struct {
	snapshot func() Snapshot
	descs
}

var labelled = map[string]string{
	"births_total":                 "outcome",
	"events_total":                 "kind",
	"session_events_dropped_total": "role",
	"lost_total":                   "what",
	"writes_total":                 "result",
	"lean_ins_total":               "reason",
	"lean_ins_failed_total":        "how",
	"lean_ins_restrained_total":    "how",
	"bursts_total":                 "what",
}

var help = map[string]string{
	"births_total":                    "Births that ended, by outcome.",
	"births_nameless_total":           "Births without a certificate, because nobody named the pod.",
	"births_open":                     "Births under way.",
	"episodes_open":                   "Episodes of throttling and contention going on.",
	"whispers_total":                  "Whispers handed to the sinks, repeats included.",
	"samples_total":                   "Samples of limited containers' bandwidth.",
	"events_total":                    "Kernel events heard, by kind.",
	"session_events_attributed_total": "Events of birth sessions whose pod is known, or that are of no birth.",
	"session_events_dropped_total":    "Events of birth sessions that never got a name, by the session's role.",
	"lost_total":                      "What the kernel side could not deliver or keep: events (ring full), sessions and members (table full), skipped (programs not run), overflows (times that the queue of watched cgroups was full).",
	"cgroups":                         "Cgroups in the dictionary.",
	"syscalls_heard":                  "1 while system calls are heard (a birth is under way or expected).",
	"kernel_errors_total":             "Requests to the kernel side that failed.",
	"writes_total":                    "Writes to the API server, by result.",
	"writes_waiting":                  "Objects that wait to be written to the API server.",
	"lean_ins_total":                  "Recordings of a container's bursts that began, by reason.",
	"lean_ins_failed_total":           "Recordings that say nothing: refused (could not be made), spoiled (the limit was changed meanwhile).",
	"lean_ins_restrained_total":       "Recordings that the CPU budget made shorter (shortened) or put off (refused).",
	"readings_skipped_total":          "Rounds of reading containers' bandwidth that the CPU budget left out.",
	"lean_ins_under_way":              "Recordings under way.",
	"bursts_total":                    "Bursts of recordings: heard, lost (no room in the ring or the thread table).",
	"replay_seconds_total":            "Time that the replay of recordings at other limits took.",
}

// NewCollector makes a collector of what snapshot returns.
func NewCollector(snapshot func() Snapshot) *Collector {
	return &Collector{snapshot, newDescs(help, labelled)}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	s := c.snapshot()
	counter := func(name string, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(c.descs[name], prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(name string, v int) {
		out <- prometheus.MustNewConstMetric(c.descs[name], prometheus.GaugeValue, float64(v))
	}
	for _, o := range []v1alpha1.Outcome{v1alpha1.OutcomeReady, v1alpha1.OutcomeRunning, v1alpha1.OutcomeFailed} {
		counter("births_total", s.Births[o], string(o))
	}
	for name, values := range map[string]map[string]uint64{
		"events_total": s.Events, "session_events_dropped_total": s.SessionEventsDropped,
		"lost_total": s.Lost, "writes_total": s.Writes,
		"lean_ins_total": s.LeanIns, "lean_ins_failed_total": s.LeanInsFailed, "bursts_total": s.Bursts,
		"lean_ins_restrained_total": s.LeanInsRestrained,
	} {
		for label, v := range values {
			counter(name, v, label)
		}
	}
	counter("births_nameless_total", s.BirthsNameless)
	counter("whispers_total", s.Whispers)
	counter("samples_total", s.Samples)
	counter("session_events_attributed_total", s.SessionEventsAttributed)
	counter("kernel_errors_total", s.KernelErrors)
	counter("readings_skipped_total", s.ReadingsSkipped)
	out <- prometheus.MustNewConstMetric(c.descs["replay_seconds_total"], prometheus.CounterValue, s.ReplaySeconds)
	gauge("lean_ins_under_way", s.LeanInsUnderWay)
	gauge("births_open", s.BirthsOpen)
	gauge("episodes_open", s.EpisodesOpen)
	gauge("cgroups", s.Cgroups)
	gauge("writes_waiting", s.WritesWaiting)
	armed := 0
	if s.Armed {
		armed = 1
	}
	gauge("syscalls_heard", armed)
}
