// SPDX-License-Identifier: Apache-2.0

package view

import "fmt"

// at is the place of a moment on the axis.
func (g Grid) at(us int64) float64 {
	return x(g.From) + float64(min(max(us, 0), g.Total))/float64(g.Total)*float64(g.Width)*svgCell
}

func (s *svg) waterfall(l Layout) {
	if l.Total == 0 || len(l.Rows)+len(l.Marks) == 0 {
		s.paragraph("dim", "No phase and no milestone of this birth was heard.")
		return
	}
	g := l.Grid(svgColumns)
	s.text(0, g.From, "strong", "PHASE")
	s.textEnd(g.From+g.Width+numberWidth, "strong", "TOOK")
	s.textEnd(g.Columns, "strong", "WAITED")
	ticks := g.Ticks()
	for _, t := range ticks {
		if n := cells(t.Label); g.Column(t.At)+n <= g.From+g.Width+2 {
			s.add(`<text class="dim" x="%.1f" y="%.1f">%s</text>`, g.at(t.At), s.y, escape(t.Label))
		}
	}
	s.y += 8
	top, bottom := s.y, s.y+float64(len(l.Rows)*svgRow)
	for i := range l.Rows {
		if i%2 == 0 {
			s.add(`<rect class="band" x="%d" y="%.1f" width="%.1f" height="%d"/>`, svgMargin-8, s.y+float64(i*svgRow), svgColumns*svgCell+16, svgRow)
		}
	}
	for _, t := range ticks {
		s.add(`<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, g.at(t.At), top, g.at(t.At), bottom)
	}
	_, _, isCritical := l.has()
	for _, r := range l.Rows {
		class := ""
		if isCritical && !r.Critical() {
			class = "dim"
		}
		s.row(g, r, class)
	}
	s.add(`<line class="axis" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, x(g.From), bottom, x(g.From+g.Width), bottom)
	s.flags(l.Flags(g))
	s.legend(l)
}

// row draws one phase; its words appear where a pointer rests on it.
func (s *svg) row(g Grid, r Row, class string) {
	s.add(`<g><title>%s</title>`, escape(rowInWords(r)))
	s.add(`<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="none" pointer-events="all"/>`, svgMargin-8, s.y, svgColumns*svgCell+16, svgRow)
	from := g.at(r.StartMicroseconds)
	const thinnest = 2
	width := max(thinnest, g.at(end(r.Phase))-from)
	from = min(from, x(g.From+g.Width)-width)
	top := s.y + (svgRow-svgBar)/2
	if r.Unmeasured > 0 || r.DurationMicroseconds <= 0 {
		s.add(`<rect class="none" x="%.1f" y="%.1f" width="%.1f" height="%d"/>`, from, top, width, svgBar)
	} else {
		cpu := width * float64(r.OnCPU) / float64(r.DurationMicroseconds)
		s.add(`<rect class="cpu" x="%.1f" y="%.1f" width="%.1f" height="%d"/>`, from, top, cpu, svgBar)
		s.add(`<rect class="wait" x="%.1f" y="%.1f" width="%.1f" height="%d"/>`, from+cpu, top, width-cpu, svgBar)
	}
	if r.Critical() {
		s.add(`<rect class="ring" x="%.1f" y="%.1f" width="%.1f" height="%d" rx="1.5"/>`, from-1.5, top-1.5, width+3, svgBar+3)
		s.add(`<circle class="crit" cx="%.1f" cy="%.1f" r="3.5"/>`, x(0)+3, s.y+svgRow/2+.5)
	}
	s.y += svgRow - 6
	indent := min(markerWidth+2*r.Depth, max(markerWidth, g.From-9))
	s.text(indent, g.From-indent-1, class, r.Label())
	s.textEnd(g.From+g.Width+numberWidth, class, span(r.DurationMicroseconds))
	s.textEnd(g.Columns, "", waitedText(r))
	s.add(`</g>`)
	s.y += 6
}

// flags draws the milestones beneath the axis, each on a pole from it.
func (s *svg) flags(lines [][]Flag) {
	for i, line := range lines {
		for _, f := range line {
			at := x(f.Column) + svgCell/2
			s.add(`<line class="drop" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, at, s.y, at, s.y+float64((i+1)*svgLine)-9)
		}
	}
	for _, line := range lines {
		s.y += svgLine
		for _, f := range line {
			at := x(f.Column) + svgCell/2
			s.add(`<path class="pole" d="M%.1f %.1fl4 8h-8z"/>`, at, s.y-9)
			if f.From > f.Column {
				s.text(f.From, svgColumns-f.From, "flag", f.Text)
			} else {
				s.textEnd(f.Column-1, "flag", f.Text)
			}
		}
	}
	s.y += svgLine
}

// legend explains what the picture has.
func (s *svg) legend(l Layout) {
	measured, unmeasured, isCritical := l.has()
	s.y += svgLine / 2
	column := 0
	item := func(so bool, shape, words string) {
		if !so {
			return
		}
		s.add(shape, x(column), s.y-svgBar+3)
		s.text(column+4, svgColumns-column-4, "dim", words)
		column += 4 + cells(words) + 3
	}
	box := func(class string) string {
		return fmt.Sprintf(`<rect class="%s" x="%%.1f" y="%%.1f" width="22" height="%d"/>`, class, svgBar)
	}
	item(measured, box("cpu"), "on a CPU")
	item(measured, box("wait"), "waiting (shares of a bar, not moments)")
	item(unmeasured, box("none"), "not measured")
	item(isCritical, box("ring"), "on the critical path")
	item(len(l.Marks) > 0, `<path class="pole" d="M%.1f %.1fm11 1l5 9h-10z"/>`, "milestone")
	s.y += svgLine
}
