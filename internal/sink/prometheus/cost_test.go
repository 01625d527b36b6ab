// SPDX-License-Identifier: Apache-2.0

package prometheus_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kernel-gossip/kernel-gossip/internal/cost"
	"github.com/kernel-gossip/kernel-gossip/internal/sink/prometheus"
)

// scrape is what a scraper gets, without the prefix of the names.
func scrape(t *testing.T, u cost.Usage) []string {
	t.Helper()
	registry := client.NewPedanticRegistry()
	registry.MustRegister(prometheus.NewCostCollector(func() cost.Usage { return u }))
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	var all []string
	for line := range strings.Lines(answer.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			all = append(all, strings.TrimPrefix(strings.TrimSpace(line), "kernel_gossip_observer_"))
		}
	}
	return all
}

func TestCost(t *testing.T) {
	got := "\n" + strings.Join(scrape(t, cost.Usage{
		Own:      map[cost.Part]time.Duration{cost.PartRest: 250 * time.Millisecond},
		Resident: 40 << 20, Budget: 0.01, Used: 0.004, UsedKnown: true, Balance: -200 * time.Millisecond,
		Step: cost.Slowest, Taken: map[cost.Step]uint64{cost.Slowest: 2},
		BPF: cost.BPF{
			Source: cost.SourceSampled, Watched: 3 * time.Second, Memory: 9 << 20,
			Programs: map[string]cost.Program{"sched_switch": {Name: "sched_switch", Time: time.Millisecond, Runs: 7}},
		},
	}), "\n") + "\n"
	for _, want := range []string{
		`cpu_seconds_total{part="rest"} 0.25`, `resident_memory_bytes 4.194304e+07`,
		`bpf_seconds_total{program="sched_switch"} 0.001`, `bpf_runs_total{program="sched_switch"} 7`,
		`bpf_watched_seconds_total 3`, `bpf_statistics_info{source="sampled"} 1`, `bpf_memory_bytes 9.437184e+06`,
		`cpu_budget_ratio 0.01`, `cpu_used_ratio 0.004`, `cpu_budget_balance_seconds -0.2`, `cpu_budget_level 3`,
		`cpu_budget_steps_total{step="intervals-quadrupled"} 2`, `cpu_budget_steps_total{step="normal"} 0`,
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("no %s in:%s", want, got)
		}
	}
}

// What is not known has no metric, and it is said that there is none.
func TestCostThatIsNotKnown(t *testing.T) {
	got := scrape(t, cost.Usage{BPF: cost.BPF{Source: cost.SourceNone}})
	want := []string{`bpf_statistics_info{source="none"} 1`, `cpu_budget_level 0`, `cpu_budget_ratio 0`}
	for _, step := range cost.Steps() {
		want = append(want, `cpu_budget_steps_total{step="`+step.String()+`"} 0`)
	}
	if len(got) != len(want) {
		t.Errorf("%q, want %q in any order", got, want)
	}
}
