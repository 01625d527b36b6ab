// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// sides sets what the kernel counted beside what a metric says of the same
// container at the same time.
func sides(p *page, w *v1alpha1.KernelWhisper) {
	m := w.Status.MetricsLie
	p.blank()
	t := table{columns: []column{{title: factIndent}, {title: "THE KERNEL", rank: 2, least: 12}, {title: metricTitle(m), rank: 1, least: 12}}}
	add := func(name, kernel, metric string, tone tone) {
		claim := text{metric, plain}
		if metric == "" {
			claim = text{"-", dim}
		}
		t.add(text{name, dim}, text{orElse(kernel, "-"), tone}, claim)
	}
	k := &w.Spec.KernelTruth
	add("averaged over", span(k.WindowMilliseconds*1000), metricWindow(m), plain)
	add("CPU used", Millicores(k.UsageMillicores), metricUsage(w), plain)
	add("CPU wanted", Millicores(k.DemandMillicores), "", plain)
	if limited(k) {
		add("limit", limitOf(k)+", the "+levelOf(k)+"'s", metricLimit(w), plain)
		if since := w.Spec.LimitSince; since != nil && w.Spec.Change == nil {
			add("limit since", clock(since.Time), "", plain)
		}
		add("quota", span(k.QuotaMicroseconds)+" per "+span(k.PeriodMicroseconds), "", plain)
		add("throttled", fmt.Sprintf("%s%% of periods (%s of %s)", k.ThrottledPercent, Number(k.ThrottledPeriods), Number(k.Periods)), "", bad)
		add("stood still", span(k.ThrottledMicroseconds)+", over all CPUs", "", plain)
	}
	at := ""
	if limit, when := verdict.RecordedAt(&w.Spec); when != verdict.SameLimit {
		add("recorded", recordedElsewhere(&w.Spec), "", plain)
		// In few words: the metric beside it needs room.
		if at = ", no limit"; limit > 0 {
			at = " at " + Millicores(limit)
		}
	}
	for _, f := range []struct {
		name string
		us   *int64
	}{{"stall p50", k.StallP50Microseconds}, {"stall p99", k.StallP99Microseconds}, {"CPU wait p99", k.RunQueueWaitP99Microseconds}} {
		if f.us != nil && (limited(k) || f.us == k.RunQueueWaitP99Microseconds) {
			add(f.name, span(*f.us)+at, "", plain)
		}
	}
	if k.ThreadTimeLostPercent != "" {
		add("time lost", k.ThreadTimeLostPercent+"% of the threads' time"+at, "", plain)
	}
	t.write(p)
	if m != nil && m.Claim != "" {
		p.fact("the claim", m.Claim, plain)
	}
}

func metricTitle(m *v1alpha1.MetricsLie) string {
	switch {
	case m == nil:
		return "THE METRIC (not asked yet)"
	case m.Source == v1alpha1.MetricsAPI:
		return "THE METRIC (kubectl top)"
	}
	return orElse(map[v1alpha1.MetricsMissing]string{
		v1alpha1.MetricsNoAnswer: "AN AVERAGE (no answer)", v1alpha1.MetricsNoAPI: "AN AVERAGE (no metrics API)",
	}[m.Missing], "AN AVERAGE (no metric)")
}

func metricWindow(m *v1alpha1.MetricsLie) string {
	if m == nil {
		return ""
	}
	out := span(m.WindowMilliseconds * 1000)
	if m.Time != nil {
		out += " until " + clock(m.Time.Time)
	}
	return out
}

func metricUsage(w *v1alpha1.KernelWhisper) string {
	m := w.Status.MetricsLie
	if m == nil {
		return ""
	}
	out := Millicores(m.UsageMillicores)
	if m.PercentOfLimit != "" {
		out += fmt.Sprintf(", %s%% of the limit", m.PercentOfLimit)
	}
	return out
}

// metricLimit is the limit of the metric's own time, where the counters beside it are of
// another; empty where they are of the same.
func metricLimit(w *v1alpha1.KernelWhisper) string {
	m := w.Status.MetricsLie
	when := verdict.MetricOf(&w.Spec, m)
	if when == verdict.SameLimit || m.LimitMillicores <= 0 {
		return when.String()
	}
	return Millicores(m.LimitMillicores) + ", " + when.String()
}

// recordedElsewhere says at which limit the recording was made and when, where the counters
// beside it are of another; empty where they are of the same.
func recordedElsewhere(s *v1alpha1.KernelWhisperSpec) string {
	limit, when := verdict.RecordedAt(s)
	switch {
	case when == verdict.SameLimit:
		return ""
	case limit == 0:
		return "without a limit, " + when.String()
	}
	return "at " + Millicores(limit) + ", " + when.String()
}
