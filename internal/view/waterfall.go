// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// The glyphs of a bar tell its parts apart where colors do not reach.
const (
	glyphCPU        = "█"
	glyphWait       = "░"
	glyphUnmeasured = "━"
	glyphGrid       = "┊"
	glyphPole       = "▲"
	glyphCritical   = "●"
)

// waterfall draws the phases against time, and the milestones beneath them.
func waterfall(p *page, s *v1alpha1.PodBirthCertificateSpec) {
	p.blank()
	l := Lay(s)
	if l.Total == 0 || len(l.Rows)+len(l.Marks) == 0 {
		p.say("No phase and no milestone of this birth was heard.", dim)
		return
	}
	g := l.Grid(p.picture())
	if len(l.Rows) > 0 {
		scale(p, g)
	}
	for _, r := range l.Rows {
		waterfallRow(p, g, r)
	}
	axis(p, g)
	for _, line := range l.Flags(g) {
		c := newCanvas(g.Columns)
		for _, f := range line {
			c.put(f.Column, glyphPole, bold)
			c.put(f.From, f.Text, plain)
		}
		p.draw(c)
	}
	legend(p, l)
}

// scale is the line of titles: the times of the axis, and what the numbers are.
func scale(p *page, g Grid) {
	c := newCanvas(g.Columns)
	c.put(markerWidth, fit("PHASE", g.From-markerWidth-1), bold)
	for _, t := range g.Ticks() {
		at := g.Column(t.At)
		if c.free(at-1, at+cells(t.Label)) && at+cells(t.Label) <= g.From+g.Width {
			c.put(at, t.Label, dim)
		}
	}
	c.putRight(g.From+g.Width+numberWidth, "TOOK", bold)
	if g.Numbers > 1 {
		c.putRight(g.Columns, "WAITED", bold)
	}
	p.draw(c)
}

func waterfallRow(p *page, g Grid, r Row) {
	c := newCanvas(g.Columns)
	mark := plain
	if r.Critical() {
		mark = bold
		c.put(0, glyphCritical, critical)
	}
	label := newCanvas(g.From - markerWidth - 1)
	indent := min(2*r.Depth, max(0, len(label)-8))
	c.put(markerWidth+indent, fit(r.Label(), len(label)-indent), mark)
	for _, t := range g.Ticks() {
		c.put(g.Column(t.At), glyphGrid, dim)
	}
	from, to := g.Bar(r.StartMicroseconds, end(r.Phase))
	cpu, wait, unmeasured := r.Split(to - from)
	at := c.put(from, strings.Repeat(glyphCPU, cpu), onCPU)
	at = c.put(at, strings.Repeat(glyphWait, wait), inWait)
	c.put(at, strings.Repeat(glyphUnmeasured, unmeasured), dim)
	c.putRight(g.From+g.Width+numberWidth, span(r.DurationMicroseconds), mark)
	if g.Numbers > 1 {
		c.putRight(g.Columns, waitedText(r), plain)
	}
	p.draw(c)
}

// waitedText is how long a phase waited, where that was measured.
func waitedText(r Row) string {
	if r.WaitMicroseconds == nil {
		return "-"
	}
	return span(r.Waiting)
}

func axis(p *page, g Grid) {
	c := newCanvas(g.Columns)
	c.put(g.From, strings.Repeat("─", g.Width), dim)
	for _, t := range g.Ticks() {
		c.put(g.Column(t.At), "┴", dim)
	}
	p.draw(c)
}

// legend explains what the picture has, and nothing else.
func legend(p *page, l Layout) {
	measured, unmeasured, isCritical := l.has()
	var items []text
	if measured {
		items = append(items, text{glyphCPU + glyphCPU + " on a CPU", onCPU}, text{glyphWait + glyphWait + " waiting", inWait})
	}
	if unmeasured {
		items = append(items, text{glyphUnmeasured + glyphUnmeasured + " not measured", dim})
	}
	if isCritical {
		items = append(items, text{glyphCritical + " on the critical path", critical})
	}
	if len(l.Marks) > 0 {
		items = append(items, text{glyphPole + " milestone", bold})
	}
	p.blank()
	sideBySide(p, items)
	if measured {
		for _, line := range wrap("The two parts of a bar are shares of its time, not moments.", p.picture()) {
			p.say(line, dim)
		}
	}
}

// sideBySide writes short texts side by side in as few lines as they need.
func sideBySide(p *page, items []text) {
	width := p.picture()
	c, at := newCanvas(width), 0
	for _, it := range items {
		if at > 0 && at+cells(it.s) > width {
			p.draw(c)
			c, at = newCanvas(width), 0
		}
		at = c.put(at, fit(it.s, width), it.tone) + 3
	}
	if at > 0 {
		p.draw(c)
	}
}

// mostWaited names the kind of waiting that took longest, with its time.
func mostWaited(w *v1alpha1.PhaseWaits) string {
	kinds := waitKinds(w)
	if len(kinds) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s", kinds[0].name, span(kinds[0].us))
}
