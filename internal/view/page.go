// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bufio"
	"io"
)

// page collects lines for a terminal and keeps the first error of many writes.
type page struct {
	w *bufio.Writer
	Terminal
}

func newPage(out io.Writer, t Terminal) *page { return &page{w: bufio.NewWriter(out), Terminal: t} }

// limit of a line's columns; 0 is none.
func (p *page) limit() int { return max(0, p.Width) }

func (p *page) flush() error { return p.w.Flush() }

func (p *page) draw(c canvas) {
	p.raw(c.render(p.Color))
}

func (p *page) raw(line string) {
	_, _ = p.w.WriteString(line + "\n") // the writer keeps its error for flush
}

func (p *page) blank() { p.raw("") }

// heading begins a section.
func (p *page) heading(s string) {
	p.blank()
	p.say(s, bold)
}

// say writes one line of text, cut where the terminal ends.
func (p *page) say(s string, t tone) {
	width := p.limit()
	if width == 0 {
		width = cells(s)
	}
	c := newCanvas(width)
	c.put(0, fit(s, width), t)
	p.draw(c)
}

// factIndent is the title of a table's first column that stands among facts: as
// wide as their names.
const factIndent = "             "

// fact writes a name and a text, which goes on in further lines beneath itself.
func (p *page) fact(name, s string, t tone) { p.facts(name, words(s), " ", t) }

// facts does so with texts that are not broken themselves. In a pipe too they
// are no wider than a picture.
func (p *page) facts(name string, all []string, separator string, t tone) {
	if len(all) == 0 {
		return
	}
	const column = len(factIndent) + gap
	width := max(p.picture()-column, 8)
	for i, line := range wrapWords(all, separator, width) {
		c := newCanvas(column + cells(line))
		if i == 0 {
			c.put(0, name, dim)
		}
		c.put(column, line, t)
		p.draw(c)
	}
}
