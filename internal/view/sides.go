// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
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
	add("CPU used", Millicores(k.UsageMillicores), metricUsage(m), plain)
	add("CPU wanted", Millicores(k.DemandMillicores), "", plain)
	if limited(k) {
		add("limit", limitOf(k)+", the "+levelOf(k)+"'s", "", plain)
		add("quota", span(k.QuotaMicroseconds)+" per "+span(k.PeriodMicroseconds), "", plain)
		add("throttled", fmt.Sprintf("%s%% of periods (%s of %s)", k.ThrottledPercent, Number(k.ThrottledPeriods), Number(k.Periods)), "", bad)
		add("stood still", span(k.ThrottledMicroseconds)+", over all CPUs", "", plain)
	}
	for _, f := range []struct {
		name string
		us   *int64
	}{{"stall p50", k.StallP50Microseconds}, {"stall p99", k.StallP99Microseconds}, {"CPU wait p99", k.RunQueueWaitP99Microseconds}} {
		if f.us != nil && (limited(k) || f.us == k.RunQueueWaitP99Microseconds) {
			add(f.name, span(*f.us), "", plain)
		}
	}
	if k.ThreadTimeLostPercent != "" {
		add("time lost", k.ThreadTimeLostPercent+"% of the threads' time", "", plain)
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
	return "AN AVERAGE (no metric)"
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

func metricUsage(m *v1alpha1.MetricsLie) string {
	if m == nil {
		return ""
	}
	out := Millicores(m.UsageMillicores)
	if m.PercentOfLimit != "" {
		out += fmt.Sprintf(", %s%% of the limit", m.PercentOfLimit)
	}
	return out
}
