// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// barWidth is how many characters a birth's whole duration takes.
const barWidth = 32

// Certificate renders a whole certificate for a terminal.
func Certificate(out io.Writer, c *v1alpha1.PodBirthCertificate) error {
	s := c.Spec
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	p := printer{w: w}
	p.line("BIRTH CERTIFICATE\t%s/%s", c.Namespace, s.PodRef.Name)
	p.line("born on\t%s, %s", s.NodeName, orUnknown(s.Runtime))
	p.line("outcome\t%s in %s", s.Outcome, s.Duration)
	if s.Failure != nil {
		p.line("failed at\t%s", Failure(s.Failure))
	}
	p.line("system calls\t%s (%s)", Number(s.KernelStats.TotalSyscalls), strings.Join(syscallsByActor(s.KernelStats.Actors), ", "))
	p.line("namespaces\t%s", namespaces(s.KernelStats.NamespacesCreated))
	p.line("cgroups, mounts\t%d, %s", s.KernelStats.CgroupsCreated, optional(s.KernelStats.Mounts))
	p.line("coverage\t%s%% attributed, %d events lost", s.Coverage.AttributedPercent, s.Coverage.LostEvents)
	for _, m := range s.Coverage.Missing {
		p.line("not heard\t%s", m)
	}
	if c.Status.Insight != "" {
		p.line("insight\t%s", c.Status.Insight)
	}
	p.flush()
	p.phases(s)
	p.timeline(s)
	return p.err
}

// printer keeps the first error of many writes.
type printer struct {
	w   *tabwriter.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) flush() {
	if p.err == nil {
		p.err = p.w.Flush()
	}
}

func (p *printer) phases(s v1alpha1.PodBirthCertificateSpec) {
	if len(s.Phases) == 0 {
		return
	}
	p.line("")
	p.line("PHASE\tCONTAINER\tSTART\tTOOK\tWAITED\t")
	for _, ph := range s.Phases {
		waited := "-"
		if ph.WaitMicroseconds != nil {
			waited = microseconds(*ph.WaitMicroseconds)
		}
		p.line("%s\t%s\t%s\t%s\t%s\t%s", ph.Name, ph.Container, microseconds(ph.StartMicroseconds),
			microseconds(ph.DurationMicroseconds), waited, bar(ph, s.KernelStats.DurationMicroseconds))
	}
	p.flush()
}

func (p *printer) timeline(s v1alpha1.PodBirthCertificateSpec) {
	if len(s.Timeline) == 0 {
		return
	}
	p.line("")
	p.line("AT\tACTOR\tCONTAINER\tACTION\tDETAIL")
	for _, t := range s.Timeline {
		p.line("%s\t%s\t%s\t%s\t%s", microseconds(t.OffsetMicroseconds), t.Actor, t.Container, t.Action, t.Detail)
	}
	p.flush()
}

// bar draws a phase at its place in the birth.
func bar(ph v1alpha1.Phase, total int64) string {
	if total <= 0 {
		return ""
	}
	at := func(t int64) int { return int(min(max(t, 0), total) * barWidth / total) }
	from, to := at(ph.StartMicroseconds), at(ph.StartMicroseconds+ph.DurationMicroseconds)
	from = min(from, barWidth-1)
	to = max(to, from+1)
	return strings.Repeat("·", from) + strings.Repeat("█", to-from) + strings.Repeat("·", barWidth-to)
}

func microseconds(us int64) string {
	return fmt.Sprintf("%.1fms", float64(us)/float64(time.Millisecond/time.Microsecond))
}

func namespaces(n *v1alpha1.NamespacesCreated) string {
	if n == nil {
		return "not heard"
	}
	var out []string
	for _, t := range []struct {
		name  string
		count int64
	}{
		{"mount", n.Mount}, {"pid", n.PID}, {"network", n.Network}, {"uts", n.UTS},
		{"ipc", n.IPC}, {"cgroup", n.Cgroup}, {"user", n.User}, {"time", n.Time},
	} {
		if t.count > 0 {
			out = append(out, fmt.Sprintf("%d %s", t.count, t.name))
		}
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

func optional(n *int64) string {
	if n == nil {
		return "not heard"
	}
	return Number(*n)
}

func orUnknown(s string) string {
	if s == "" {
		return "runtime not known"
	}
	return s
}
