// SPDX-License-Identifier: Apache-2.0

package view

import (
	"io"
	"text/tabwriter"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Whisper renders a whole whisper for a terminal: the kernel's truth beside the
// metric's claim.
func Whisper(out io.Writer, w *v1alpha1.KernelWhisper) error {
	s, k := w.Spec, w.Spec.KernelTruth
	p := printer{w: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	p.line("WHISPER\t%s/%s, container %s", w.Namespace, s.PodRef.Name, s.ContainerName)
	p.line("reason\t%s since %s", s.Reason, s.StartTime.UTC().Format(time.RFC3339))
	if s.EndTime != nil {
		p.line("ended\t%s", s.EndTime.UTC().Format(time.RFC3339))
	}
	p.line("throttled\t%s%% of periods: %d of %d, at the %s's limit", k.ThrottledPercent, k.ThrottledPeriods, k.Periods, k.ThrottledAt)
	p.line("limit\t%s (%d µs per %d µs)", Millicores(k.QuotaMicroseconds*1000/k.PeriodMicroseconds), k.QuotaMicroseconds, k.PeriodMicroseconds)
	p.line("used\t%s, held back from %s", Millicores(k.UsageMillicores), Millicores(heldBack(k)))
	st := w.Status
	if m := st.MetricsLie; m != nil {
		p.line("metrics say\t%s (%s%% of the limit), source %s", Millicores(m.UsageMillicores), m.PercentOfLimit, m.Source)
	}
	for _, f := range []struct{ name, text string }{
		{"severity", string(st.Severity)}, {"cause", string(st.Cause)},
		{"insight", st.Insight}, {"recommendation", st.Recommendation},
	} {
		if f.text != "" {
			p.line("%s\t%s", f.name, f.text)
		}
	}
	p.line("")
	p.line("EVIDENCE\tBEFORE\tAFTER")
	for _, e := range s.Evidence {
		p.line("%s\t%s\t%s", e.Source, e.Before, e.After)
	}
	p.flush()
	return p.err
}
