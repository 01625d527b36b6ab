// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"io"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Whisper renders a whole whisper for a terminal: the kernel's truth beside the
// metric's claim.
func Whisper(out io.Writer, w *v1alpha1.KernelWhisper, t Terminal) error {
	w = cleaned(w)
	s, k, st := w.Spec, w.Spec.KernelTruth, w.Status
	p := newPage(out, t)
	p.fact("whisper", fmt.Sprintf("%s/%s, container %s", w.Namespace, s.PodRef.Name, s.ContainerName), bold)
	p.fact("reason", fmt.Sprintf("%s since %s", s.Reason, s.StartTime.UTC().Format(time.RFC3339)), plain)
	if s.EndTime != nil {
		p.fact("ended", s.EndTime.UTC().Format(time.RFC3339), plain)
	}
	p.fact("throttled", fmt.Sprintf("%s%% of periods: %d of %d, at the %s's limit", k.ThrottledPercent, k.ThrottledPeriods, k.Periods, k.ThrottledAt), plain)
	p.fact("limit", fmt.Sprintf("%s (%d µs per %d µs)", limitOf(k), k.QuotaMicroseconds, k.PeriodMicroseconds), plain)
	p.fact("used", fmt.Sprintf("%s, held back from %s", Millicores(k.UsageMillicores), Millicores(heldBack(k))), plain)
	if m := st.MetricsLie; m != nil {
		p.fact("metrics say", fmt.Sprintf("%s (%s%% of the limit), source %s", Millicores(m.UsageMillicores), m.PercentOfLimit, m.Source), plain)
	}
	p.fact("severity", string(st.Severity), severityTone(st.Severity))
	p.fact("cause", string(st.Cause), plain)
	p.fact("insight", st.Insight, plain)
	p.fact("advice", st.Recommendation, plain)
	p.blank()
	tab := table{columns: []column{{title: "EVIDENCE", rank: 1, least: 16}, {title: "BEFORE"}, {title: "AFTER"}}}
	for _, e := range s.Evidence {
		tab.add(text{s: e.Source}, text{s: e.Before}, text{s: e.After})
	}
	tab.write(p)
	return p.flush()
}

// limitOf is the quota as CPU; a dash where there is no period to divide by.
func limitOf(k v1alpha1.KernelTruth) string {
	if k.PeriodMicroseconds <= 0 {
		return "-"
	}
	return Millicores(k.QuotaMicroseconds * 1000 / k.PeriodMicroseconds)
}
