// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"io"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Birth renders a certificate for a terminal: who, a picture of the phases, and
// what it took; with the timeline where that is wanted.
func Birth(out io.Writer, c *v1alpha1.PodBirthCertificate, t Terminal, timeline bool) error {
	c = cleaned(c)
	p := newPage(out, t)
	header(p, c)
	waterfall(p, &c.Spec)
	containers(p, c.Spec.Milestones.Containers)
	actors(p, &c.Spec.KernelStats)
	kernelFacts(p, &c.Spec.KernelStats)
	coverage(p, &c.Spec)
	if timeline {
		events(p, c.Spec.Timeline)
	}
	return p.flush()
}

// Certificate renders a whole certificate as plain text.
func Certificate(out io.Writer, c *v1alpha1.PodBirthCertificate) error {
	return Birth(out, c, Terminal{}, true)
}

// header says who was born, where, and how it went.
func header(p *page, c *v1alpha1.PodBirthCertificate) {
	s := &c.Spec
	p.fact("birth of", c.Namespace+"/"+s.PodRef.Name, bold)
	outcome, t := outcomeOf(s)
	p.fact("outcome", outcome, t)
	failureFacts(p, s.Failure)
	if s.FailedAttempts > 0 {
		p.fact("attempts", plural(int64(s.FailedAttempts), "attempt")+" failed before", bad)
	}
	if s.WorkloadRef != nil {
		p.fact("workload", s.WorkloadRef.Kind+" "+s.WorkloadRef.Name, plain)
	}
	p.fact("born", fmt.Sprintf("%s on %s, %s", s.Origin.Time.UTC().Format("2006-01-02 15:04:05 UTC"), s.NodeName, orUnknown(s.Runtime)), plain)
	p.fact("scheduling", schedulingOf(s.Scheduling), plain)
	p.fact("insight", c.Status.Insight, plain)
	p.fact("compared", comparisonOf(c.Status.Comparison), plain)
}

func outcomeOf(s *v1alpha1.PodBirthCertificateSpec) (string, tone) {
	switch s.Outcome {
	case v1alpha1.OutcomeFailed:
		return "Failed after " + s.Duration, bad
	case v1alpha1.OutcomePending:
		return "under way for " + s.Duration, inWait
	case v1alpha1.OutcomeRunning:
		return "Running after " + s.Duration + ", not seen Ready", inWait
	}
	return fmt.Sprintf("%s in %s", s.Outcome, s.Duration), good
}

func schedulingOf(s *v1alpha1.Scheduling) string {
	if s == nil {
		return ""
	}
	made := s.CreatedTime.UTC().Format(time.TimeOnly)
	if s.ScheduledTime == nil {
		return fmt.Sprintf("created %s (whole seconds)", made)
	}
	took := s.ScheduledTime.Sub(s.CreatedTime.Time)
	return fmt.Sprintf("created %s, bound to the node %s later (whole seconds)", made, took)
}

func comparisonOf(b *v1alpha1.BirthComparison) string {
	if b == nil {
		return ""
	}
	out := fmt.Sprintf("%s times the median of %s, %s", b.Ratio, plural(int64(b.Births), "earlier birth"), span(b.MedianMicroseconds))
	if b.LowerQuartileMicroseconds != nil && b.UpperQuartileMicroseconds != nil {
		out += fmt.Sprintf(" (middle half %s to %s)", span(*b.LowerQuartileMicroseconds), span(*b.UpperQuartileMicroseconds))
	}
	if ph := b.Phase; ph != nil {
		out += fmt.Sprintf("; %s took %s where the median is %s", phaseLabel(ph.Name, ph.Detail, ph.Container), span(ph.Microseconds), span(ph.MedianMicroseconds))
	}
	return out
}

// events lists the timeline.
func events(p *page, all []v1alpha1.TimelineEntry) {
	p.heading("TIMELINE")
	if len(all) == 0 {
		p.say("No event is kept.", dim)
		return
	}
	t := table{columns: []column{
		{title: "AT", right: true}, {title: "ACTOR"}, {title: "CONTAINER", rank: 2, least: 9}, {title: "ACTION"}, {title: "DETAIL", rank: 1, least: 10},
	}}
	for _, e := range all {
		t.add(text{s: milliseconds(e.OffsetMicroseconds)}, text{s: string(e.Actor)}, text{s: e.Container}, text{s: e.Action}, text{s: e.Detail})
	}
	t.write(p)
}
