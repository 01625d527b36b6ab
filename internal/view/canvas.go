// SPDX-License-Identifier: Apache-2.0

package view

import (
	"strings"
)

// Terminal is what a text is rendered for.
type Terminal struct {
	// Width in columns. 0 is no terminal: tables are as wide as they need to be,
	// and a picture of a birth takes 100 columns.
	Width int
	// Color allows SGR sequences. Without them nothing is lost: what a color
	// tells, a glyph or a word tells too.
	Color bool
}

// pictureWidth is the width of a birth's picture where no terminal has one;
// a narrower terminal than the minimum gets lines that are cut.
const (
	pictureWidth    = 100
	pictureWidthMin = 40
)

func (t Terminal) picture() int {
	if t.Width <= 0 {
		return pictureWidth
	}
	return max(t.Width, pictureWidthMin)
}

// tone is how a text is set off: the parameters of an SGR sequence.
type tone string

// The tones, of the eight colors that every terminal's user has chosen. Cyan
// and yellow stay apart for the color-blind.
const (
	plain    tone = ""
	bold     tone = "1"
	dim      tone = "2"
	onCPU    tone = "36"
	inWait   tone = "33"
	critical tone = "1;35"
	good     tone = "32"
	bad      tone = "1;31"
)

// canvas is one line of text in cells of a terminal. What is put beyond its end
// is cut, so that no line is ever wrapped.
type canvas []cell

type cell struct {
	text string // one character with its marks; empty after a wide one
	used bool
	tone tone
}

func newCanvas(columns int) canvas { return make(canvas, columns) }

// put writes a text from a column on and returns the column after it.
func (c canvas) put(column int, s string, t tone) int {
	for _, r := range s {
		n := runeCells(r)
		if n == 0 {
			if at := column - 1; at >= 0 && at < len(c) && c[at].text != "" {
				c[at].text += string(r)
			}
			continue
		}
		if column < 0 || column+n > len(c) {
			return column
		}
		c[column] = cell{text: string(r), used: true, tone: t}
		for i := 1; i < n; i++ {
			c[column+i] = cell{used: true, tone: t}
		}
		column += n
	}
	return column
}

// putRight writes a text that ends before a column.
func (c canvas) putRight(end int, s string, t tone) { c.put(end-cells(s), s, t) }

// free is true where nothing was put from a column up to another.
func (c canvas) free(from, to int) bool {
	if from < 0 || to > len(c) {
		return false
	}
	for _, x := range c[from:to] {
		if x.used {
			return false
		}
	}
	return true
}

// render writes the line without the blanks at its end.
func (c canvas) render(color bool) string {
	end := len(c)
	for end > 0 && (!c[end-1].used || c[end-1].text == " ") {
		end--
	}
	var b strings.Builder
	last := plain
	for _, x := range c[:end] {
		if color && x.tone != last {
			if last != plain {
				b.WriteString("\x1b[0m")
			}
			if x.tone != plain {
				b.WriteString("\x1b[" + string(x.tone) + "m")
			}
			last = x.tone
		}
		if x.used {
			b.WriteString(x.text)
		} else {
			b.WriteByte(' ')
		}
	}
	if last != plain {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}
