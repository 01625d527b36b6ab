// SPDX-License-Identifier: Apache-2.0

package view

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// The picture's measures in pixels, and its width in columns: the cells of a
// font of fixed width, whose real width is a little less than a cell's.
const (
	svgColumns = 148
	svgCell    = 7.4
	svgMargin  = 26
	svgRow     = 21
	svgBar     = 13
	svgLine    = 18
	svgFont    = 12
)

// svg collects a picture's elements from top to bottom.
type svg struct {
	b strings.Builder
	y float64
}

// SVG renders a birth as a picture of its own: it needs no other file, follows
// the reader's light or dark scheme, and says in words what it shows.
func SVG(out io.Writer, c *v1alpha1.PodBirthCertificate) error {
	c = cleaned(c)
	l := Lay(&c.Spec)
	s := &svg{y: svgMargin}
	s.header(c)
	s.waterfall(l)
	s.footer(&c.Spec)
	width, height := svgColumns*svgCell+2*svgMargin, s.y+svgMargin-svgLine/2
	outcome, _ := outcomeOf(&c.Spec)
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="kg-title kg-desc">
<title id="kg-title">%s</title>
<desc id="kg-desc">%s</desc>
%s<rect class="back" width="100%%" height="100%%" rx="8"/>
`, width, height, width, height, escape("Birth of "+c.Namespace+"/"+c.Spec.PodRef.Name+": "+outcome), escape(inWords(c, l)), svgStyle)
	_, err := io.WriteString(out, head+s.b.String()+"</svg>\n")
	return err
}

// inWords says what the picture shows to those who do not see it.
func inWords(c *v1alpha1.PodBirthCertificate, l Layout) string {
	var out []string
	if c.Status.Insight != "" {
		out = append(out, c.Status.Insight)
	}
	if f := c.Spec.Failure; f != nil {
		out = append(out, "It "+failedAt(f)+".")
	}
	for _, r := range l.Rows {
		out = append(out, rowInWords(r)+".")
	}
	return strings.Join(out, " ")
}

func rowInWords(r Row) string {
	out := fmt.Sprintf("%s took %s from %s on", r.Label(), span(r.DurationMicroseconds), span(r.StartMicroseconds))
	if r.WaitMicroseconds != nil {
		out += fmt.Sprintf(", %s on a CPU and %s waiting", span(r.OnCPU), span(r.Waiting))
	}
	if waits := waitsOf(r.Waits); waits != "-" {
		out += " (" + waits + ")"
	}
	if r.Critical() {
		out += fmt.Sprintf(", %s of it on the critical path", span(r.CriticalMicroseconds))
	}
	return out
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder does not fail
	return b.String()
}

// x of a column's left side.
func x(column int) float64 { return svgMargin + float64(column)*svgCell }

func (s *svg) add(format string, args ...any) { fmt.Fprintf(&s.b, format+"\n", args...) }

// text writes a text from a column on, cut to so many columns.
func (s *svg) text(column, columns int, class, t string) {
	s.add(`<text class="%s" x="%.1f" y="%.1f">%s</text>`, class, x(column), s.y, escape(fit(t, columns)))
}

// textEnd writes a text that ends before a column.
func (s *svg) textEnd(end int, class, t string) {
	s.add(`<text class="%s end" x="%.1f" y="%.1f">%s</text>`, class, x(end), s.y, escape(t))
}

// paragraph writes a text in as many lines as it needs.
func (s *svg) paragraph(class, t string) {
	for _, line := range wrap(t, svgColumns) {
		s.text(0, svgColumns, class, line)
		s.y += svgLine
	}
}

func (s *svg) header(c *v1alpha1.PodBirthCertificate) {
	spec := &c.Spec
	outcome, t := outcomeOf(spec)
	s.y += 4
	// The title's letters are wider than a cell by a third, the outcome is above the right edge.
	s.text(0, (svgColumns-cells(outcome)-4)*3/4, "head", c.Namespace+"/"+spec.PodRef.Name)
	s.textEnd(svgColumns, "strong "+map[tone]string{good: "good", bad: "bad"}[t], outcome)
	s.y += svgLine + 2
	born := fmt.Sprintf("born %s on %s, %s", spec.Origin.Time.UTC().Format("2006-01-02 15:04:05 UTC"), spec.NodeName, orUnknown(spec.Runtime))
	if w := spec.WorkloadRef; w != nil {
		born += ", for " + w.Kind + " " + w.Name
	}
	s.paragraph("dim", born)
	if f := spec.Failure; f != nil {
		s.paragraph("bad", fmt.Sprintf("%s, by the hand of %s", failedAt(f), f.Actor))
		if f.File != "" {
			s.paragraph("bad", "file "+f.File)
		}
		s.paragraph("dim", f.Message)
	}
	if n := spec.FailedAttempts; n > 0 {
		s.paragraph("bad", plural(int64(n), "attempt")+" failed before")
	}
	s.paragraph("", c.Status.Insight)
	s.y += svgLine / 2
}

// footer tells the sums.
func (s *svg) footer(spec *v1alpha1.PodBirthCertificateSpec) {
	k := &spec.KernelStats
	calls := plural(k.TotalSyscalls, "system call")
	if k.TotalSyscalls == 0 {
		calls = "system calls not heard"
	}
	if by := syscallsByActor(k.Actors); len(by) > 0 {
		calls += " (" + strings.Join(by, ", ") + ")"
	}
	heard := fmt.Sprintf("%s; %s%% of the events attributed, %s lost", calls, spec.Coverage.AttributedPercent, Number(spec.Coverage.LostEvents))
	if !spec.Complete {
		heard += "; not complete"
	}
	s.y += svgLine / 2
	s.paragraph("dim", heard)
}
