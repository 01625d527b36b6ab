// SPDX-License-Identifier: Apache-2.0

package view

import "strings"

// Flag is a milestone with its words, placed on a grid: a pole in its moment's
// column, and a text that begins beside it or ends before it.
type Flag struct {
	// At is the moment of the first milestone that the flag stands for.
	At int64
	// Column of the pole.
	Column int
	// From is the column in which the text begins.
	From int
	Text string
}

// flagRoom is how many columns lie between two flags of a line.
const flagRoom = 2

// Flags places the milestones in as few lines as they need. Those of one
// container in one column share a flag. The text never leaves the grid.
func (l Layout) Flags(g Grid) [][]Flag {
	var lines [][]Flag
	var ends []int // the column in which a line's last flag ends
	for _, f := range l.flags(g) {
		line := 0
		for line < len(lines) && min(f.From, f.Column) < ends[line]+flagRoom {
			line++
		}
		if line == len(lines) {
			lines, ends = append(lines, nil), append(ends, 0)
		}
		lines[line] = append(lines[line], f)
		ends[line] = max(f.Column+1, f.From+cells(f.Text))
	}
	return lines
}

// flags joins milestones and decides on which side of the pole their text is.
func (l Layout) flags(g Grid) []Flag {
	var out []Flag
	for i := 0; i < len(l.Marks); {
		first := l.Marks[i]
		f := Flag{At: first.At, Column: g.Column(first.At)}
		var words []string
		last := first
		for ; i < len(l.Marks) && l.Marks[i].Container == first.Container && g.Column(l.Marks[i].At) == f.Column; i++ {
			last = l.Marks[i]
			words = append(words, last.Text)
		}
		text := strings.Join(words, ", ")
		if first.Container != "" {
			text = first.Container + " " + text
		}
		out = append(out, g.place(f, text, moments(first.At, last.At)))
	}
	return out
}

// moments is a time, or two where they do not look the same.
func moments(from, to int64) string {
	a, b := span(from), span(to)
	if a == b {
		return a
	}
	return a + "–" + b
}

// place puts the text to the side on which it has room. If that is too little
// the words are cut, and the time stays.
func (g Grid) place(f Flag, words, time string) Flag {
	right, left := g.Columns-f.Column-2, f.Column-1
	n := cells(words) + 1 + cells(time)
	onRight := n <= right || right >= left
	room := left
	if onRight {
		room = right
	}
	f.Text = fit(fit(words, room-1-cells(time))+" "+time, room)
	f.From = f.Column + 2
	if !onRight {
		f.From = f.Column - 1 - cells(f.Text)
	}
	return f
}
