// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// The orders of whispers: who is hurt most (what goes on first, then by
// severity and stall), the longest stall, the greatest share of throttled
// periods, or the youngest (ByAge) first.
const (
	BySeverity  Order = "severity"
	ByStall     Order = "stall"
	ByThrottled Order = "throttled"
)

// SortedWhispers is the list in an order. An unknown order is an error.
func SortedWhispers(all []v1alpha1.KernelWhisper, by Order) ([]v1alpha1.KernelWhisper, error) {
	type whisper = *v1alpha1.KernelWhisper
	begun := func(a, b whisper) int { return b.Spec.StartTime.Compare(a.Spec.StartTime.Time) }
	stalled := func(a, b whisper) int { return cmp.Compare(worst(b), worst(a)) }
	compare, ok := map[Order]func(a, b whisper) int{
		BySeverity: func(a, b whisper) int {
			return cmp.Or(cmp.Compare(ended(a), ended(b)), cmp.Compare(rank(b), rank(a)), stalled(a, b), begun(a, b))
		},
		ByStall: func(a, b whisper) int { return cmp.Or(stalled(a, b), begun(a, b)) },
		ByThrottled: func(a, b whisper) int {
			return cmp.Or(cmp.Compare(number(b.Spec.KernelTruth.ThrottledPercent), number(a.Spec.KernelTruth.ThrottledPercent)), begun(a, b))
		},
		ByAge: begun,
	}[by]
	if !ok {
		return nil, fmt.Errorf("unknown order %q: use severity, stall, throttled or age", by)
	}
	whispers := make([]whisper, len(all))
	for i := range all {
		whispers[i] = &all[i]
	}
	slices.SortStableFunc(whispers, func(a, b whisper) int {
		return cmp.Or(compare(a, b), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	sorted := make([]v1alpha1.KernelWhisper, len(all))
	for i, w := range whispers {
		sorted[i] = *w
	}
	return sorted, nil
}

// ForWhispers drops what neither SortedWhispers nor Whispers looks at.
func ForWhispers(all []v1alpha1.KernelWhisper) {
	for i := range all {
		w := &all[i]
		forTable(w)
		w.Spec.Evidence = nil
		forLimits(&w.Spec)
		st := w.Status
		w.Status = v1alpha1.KernelWhisperStatus{Severity: st.Severity, Cause: st.Cause, MetricsLie: st.MetricsLie, Proposal: st.Proposal}
	}
}

// forLimits keeps of a recording and a change what tells of which limit a figure is, and
// nothing where the recording is of the counters' limit and none was changed.
func forLimits(s *v1alpha1.KernelWhisperSpec) {
	limit, when := verdict.RecordedAt(s)
	b := s.Bursts
	s.Bursts, s.Counterfactual = nil, nil
	if when != verdict.SameLimit {
		s.Bursts = &v1alpha1.Bursts{Time: b.Time, LimitMillicores: &limit, PodLimitMillicores: b.PodLimitMillicores}
	}
	if s.Change != nil {
		s.Change.Measured = nil
	}
}

// worst is the 99th percentile of the stall or, of contention, of the wait for a
// CPU; -1 where none was measured.
func worst(w *v1alpha1.KernelWhisper) int64 {
	us := w.Spec.KernelTruth.StallP99Microseconds
	if w.Spec.Reason == v1alpha1.ReasonCPUContention {
		us = w.Spec.KernelTruth.RunQueueWaitP99Microseconds
	}
	if us == nil {
		return -1
	}
	return *us
}

func ended(w *v1alpha1.KernelWhisper) int {
	if w.Spec.EndTime == nil {
		return 0
	}
	return 1
}

func rank(w *v1alpha1.KernelWhisper) int {
	return 1 + slices.Index([]v1alpha1.Severity{v1alpha1.SeverityInfo, v1alpha1.SeverityWarning, v1alpha1.SeverityCritical}, w.Status.Severity)
}

// Whispers renders whispers as a table, in the order in which they come.
func Whispers(out io.Writer, all []v1alpha1.KernelWhisper, t Terminal, withNamespace bool, now time.Time) error {
	p := newPage(out, t)
	tab := table{columns: []column{
		{title: "NAMESPACE", rank: 11, least: 9}, {title: "POD", rank: 12, least: 12}, {title: "CONTAINER", rank: 10, least: 6}, {title: "SEVERITY"},
		{title: "STALL P99", right: true}, {title: "THROTTLED", right: true}, {title: "METRIC", right: true}, {title: "REASON", rank: 4},
		{title: "CAUSE", rank: 7}, {title: "USED", right: true, rank: 3}, {title: "HELD BACK", right: true, rank: 2}, {title: "PROPOSAL", rank: 8},
		{title: "LASTED", rank: 6}, {title: "AGE", right: true, rank: 1}, {title: "WHISPER", rank: 5},
	}}
	for i := range all {
		w := cleaned(&all[i])
		s, k, st := &w.Spec, &w.Spec.KernelTruth, &w.Status
		claim := "-"
		if st.MetricsLie != nil {
			claim = claimOf(w)
		}
		throttled, held := "-", "-"
		if limited(k) || s.Reason != v1alpha1.ReasonCPUContention {
			throttled, held = k.ThrottledPercent+"%", Millicores(heldBack(k))
		}
		tab.add(text{s: w.Namespace}, text{s: s.PodRef.Name}, text{s: s.ContainerName},
			text{orDash(string(st.Severity)), severityTone(st.Severity)}, stallCell(w), text{s: throttled}, text{s: claim}, text{s: string(s.Reason)},
			text{s: orDash(string(st.Cause))}, text{s: Millicores(k.UsageMillicores)}, text{s: held}, text{s: ProposalOf(w)},
			text{s: lasted(w, now)}, text{s: age(w.CreationTimestamp, now)}, text{s: w.Name})
	}
	if !withNamespace {
		tab.dropFirst()
	}
	tab.write(p)
	return p.flush()
}

// claimOf names the limit where the counters beside it are of another, and says so of an
// average that no metric reported.
func claimOf(w *v1alpha1.KernelWhisper) string {
	m := w.Status.MetricsLie
	if m.Source == v1alpha1.ComputedAverage {
		return figureOf(w) + " avg"
	}
	return figureOf(w)
}

func figureOf(w *v1alpha1.KernelWhisper) string {
	m := w.Status.MetricsLie
	switch {
	case m.PercentOfLimit == "":
		return Millicores(m.UsageMillicores)
	case verdict.MetricOf(&w.Spec, m) != verdict.SameLimit && m.LimitMillicores > 0:
		return m.PercentOfLimit + "%@" + Millicores(m.LimitMillicores)
	}
	return m.PercentOfLimit + "%"
}

// stallCell is the stall of an activation; of contention the wait for a CPU. It names the
// limit where the counters beside it are of another.
func stallCell(w *v1alpha1.KernelWhisper) text {
	us := worst(w)
	if us < 0 {
		return text{s: "-"}
	}
	if limit, when := verdict.RecordedAt(&w.Spec); when != verdict.SameLimit {
		return text{s: span(us) + "@" + orNone(limit)}
	}
	return text{s: span(us)}
}

func lasted(w *v1alpha1.KernelWhisper, now time.Time) string {
	if end := w.Spec.EndTime; end != nil {
		return duration.HumanDuration(end.Sub(w.Spec.StartTime.Time))
	}
	return duration.HumanDuration(now.Sub(w.Spec.StartTime.Time)) + " so far"
}
