// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Whisper renders a whole whisper for a terminal: who suffers and why, the
// kernel's truth beside the metric's claim, what the threads did, what other
// limits would have done, and what came of a change.
func Whisper(out io.Writer, w *v1alpha1.KernelWhisper, t Terminal) error {
	w = cleaned(w)
	p := newPage(out, t)
	whisperHeader(p, w)
	sides(p, w)
	bursts(p, w)
	preemptors(p, w.Spec.Bursts)
	otherLimits(p, w)
	proposal(p, w)
	automation(p, w)
	outcomeOfChange(p, w)
	evidence(p, w.Spec.Evidence)
	return p.flush()
}

const moment = "2006-01-02 15:04:05 UTC"

func whisperHeader(p *page, w *v1alpha1.KernelWhisper) {
	s, st := &w.Spec, &w.Status
	p.fact("whisper", fmt.Sprintf("%s/%s, container %s", w.Namespace, s.PodRef.Name, s.ContainerName), bold)
	p.fact("name", w.Name, plain)
	p.fact("reason", fmt.Sprintf("%s on %s", s.Reason, s.NodeName), plain)
	when := "since " + s.StartTime.UTC().Format(moment) + ", goes on"
	if s.EndTime != nil {
		when = fmt.Sprintf("from %s to %s", s.StartTime.UTC().Format(time.DateTime), clock(s.EndTime.Time)+" UTC")
	}
	p.fact("when", when, plain)
	p.fact("severity", orElse(string(st.Severity), "not judged yet"), severityTone(st.Severity))
	p.fact("cause", causesOf(st), plain)
	p.fact("insight", st.Insight, plain)
	p.fact("advice", st.Recommendation, plain)
	for _, m := range s.Missing {
		p.fact("not heard", m, inWait)
	}
}

func causesOf(st *v1alpha1.KernelWhisperStatus) string {
	out := string(st.Cause)
	if st.SecondCause != "" {
		out += ", and " + string(st.SecondCause)
	}
	return out
}

// evidence lists what can be checked by hand.
func evidence(p *page, all []v1alpha1.Evidence) {
	if len(all) == 0 {
		return
	}
	p.blank()
	tab := table{columns: []column{{title: "EVIDENCE", rank: 1, least: 16}, {title: "BEFORE"}, {title: "AFTER"}}}
	for _, e := range all {
		tab.add(text{s: e.Source}, text{s: e.Before}, text{s: e.After})
	}
	tab.write(p)
}

// limitOf is the quota as CPU; a dash where there is no period to divide by.
func limitOf(k *v1alpha1.KernelTruth) string {
	if m := limitMillicores(k); m > 0 {
		return Millicores(m)
	}
	return "-"
}

// limitMillicores is the quota as CPU, 0 for none.
func limitMillicores(k *v1alpha1.KernelTruth) int64 {
	if k.PeriodMicroseconds <= 0 {
		return 0
	}
	return k.QuotaMicroseconds * 1000 / k.PeriodMicroseconds
}

// limited is true where a quota is what the whisper is about.
func limited(k *v1alpha1.KernelTruth) bool { return k.ThrottledAt != "" }

func levelOf(k *v1alpha1.KernelTruth) string { return strings.ToLower(string(k.ThrottledAt)) }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
