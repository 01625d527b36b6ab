// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kernel-gossip/kernel-gossip/internal/cost"
)

// CostCollector turns what the observer costs into metrics. What is not known has
// no metric.
type CostCollector struct {
	usage func() cost.Usage
	descs
}

var costLabels = map[string]string{
	"cpu_seconds_total":      "part",
	"bpf_seconds_total":      "program",
	"bpf_runs_total":         "program",
	"bpf_statistics_info":    "source",
	"cpu_budget_steps_total": "step",
}

var costHelp = map[string]string{
	"cpu_seconds_total":          "The observer's own CPU time, user and system, by what it was spent on.",
	"resident_memory_bytes":      "The observer's resident memory.",
	"bpf_seconds_total":          "Run time of the observer's BPF programs while it was counted (bpf_watched_seconds_total).",
	"bpf_runs_total":             "Runs of the observer's BPF programs while they were counted (bpf_watched_seconds_total).",
	"bpf_watched_seconds_total":  "For how long the kernel has counted the runs of BPF programs.",
	"bpf_statistics_info":        "Where the run times of BPF programs come from: always (sysctl), sampled (windows), none (not permitted).",
	"bpf_memory_bytes":           "Memory of the observer's BPF programs and maps, by the kernel's account.",
	"cpu_budget_ratio":           "The CPU budget as a share of one core; 0: none.",
	"cpu_used_ratio":             "What the budget has paid for within the last minute, as a share of one core.",
	"cpu_budget_balance_seconds": "CPU time that may be spent at once; below 0: that is owed.",
	"cpu_budget_level":           "What gives way: 0 nothing, 1 lean-ins are shortened, 2 none begins, 3 intervals are longer as well.",
	"cpu_budget_steps_total":     "Changes of what gives way, by what it was changed to.",
}

// NewCostCollector makes a collector of what usage returns.
func NewCostCollector(usage func() cost.Usage) *CostCollector {
	return &CostCollector{usage, newDescs(costHelp, costLabels)}
}

// Collect implements prometheus.Collector.
func (c *CostCollector) Collect(out chan<- prometheus.Metric) {
	u := c.usage()
	tell := func(kind prometheus.ValueType, name string, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(c.descs[name], kind, v, labels...)
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	for part, spent := range u.Own {
		tell(counter, "cpu_seconds_total", spent.Seconds(), string(part))
	}
	if u.Resident > 0 {
		tell(gauge, "resident_memory_bytes", float64(u.Resident))
	}
	for name, p := range u.BPF.Programs {
		tell(counter, "bpf_seconds_total", p.Time.Seconds(), name)
		tell(counter, "bpf_runs_total", float64(p.Runs), name)
	}
	if u.BPF.Source != cost.SourceNone {
		tell(counter, "bpf_watched_seconds_total", u.BPF.Watched.Seconds())
	}
	tell(gauge, "bpf_statistics_info", 1, string(u.BPF.Source))
	if u.BPF.Memory > 0 {
		tell(gauge, "bpf_memory_bytes", float64(u.BPF.Memory))
	}
	tell(gauge, "cpu_budget_ratio", u.Budget)
	if u.UsedKnown {
		tell(gauge, "cpu_used_ratio", u.Used)
	}
	if u.Budget > 0 {
		tell(gauge, "cpu_budget_balance_seconds", u.Balance.Seconds())
	}
	tell(gauge, "cpu_budget_level", float64(u.Step.Level()))
	for _, step := range cost.Steps() {
		tell(counter, "cpu_budget_steps_total", float64(u.Taken[step]), step.String())
	}
}
