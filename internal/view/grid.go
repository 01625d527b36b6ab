// SPDX-License-Identifier: Apache-2.0

package view

import "strconv"

// Grid places a layout's times in columns. A terminal's columns are its cells; a
// picture's are the cells of its fixed-width font.
type Grid struct {
	// Columns in all.
	Columns int
	// From is the axis's first column, Width how many it has.
	From, Width int
	// Numbers is how many columns of numbers there are: how long a phase took and,
	// where there is room, how long it waited.
	Numbers int
	// Total is the axis's length in microseconds, above 0.
	Total int64
}

// How a grid is divided, in columns.
const (
	numberWidth  = 9
	markerWidth  = 2
	tickDistance = 11
	// narrow is up to where there is one number beside a bar instead of two.
	narrow = 72
)

// Grid divides so many columns among labels, which get what they need up to two
// fifths, the axis, and the numbers.
func (l Layout) Grid(columns int) Grid {
	label := 12
	for _, r := range l.Rows {
		label = max(label, 2*r.Depth+cells(r.Label()))
	}
	label = min(label, columns*2/5)
	g := Grid{Columns: columns, From: markerWidth + label + 1, Numbers: 2, Total: max(1, l.Total)}
	if columns <= narrow {
		g.Numbers = 1
	}
	g.Width = max(1, columns-g.From-g.Numbers*numberWidth)
	return g
}

// Column of a moment.
func (g Grid) Column(at int64) int {
	return g.From + int(min(max(at, 0), g.Total)*int64(g.Width-1)/g.Total)
}

// Bar is from which column a stretch goes up to which other: one at least.
func (g Grid) Bar(from, to int64) (int, int) {
	at := func(t int64) int { return g.From + int((min(max(t, 0), g.Total)*int64(g.Width)+g.Total/2)/g.Total) }
	a := min(at(from), g.From+g.Width-1)
	return a, max(a+1, at(to))
}

// Split divides the columns of a bar among the parts of its row: a part that is
// there gets one at least while there are enough.
func (r Row) Split(columns int) (cpu, wait, unmeasured int) {
	switch {
	case r.Unmeasured > 0 || r.DurationMicroseconds <= 0:
		return 0, 0, columns
	case r.Waiting == 0:
		return columns, 0, 0
	case r.OnCPU == 0:
		return 0, columns, 0
	}
	cpu = int((r.OnCPU*int64(columns) + r.DurationMicroseconds/2) / r.DurationMicroseconds)
	if columns > 1 {
		cpu = min(max(cpu, 1), columns-1)
	}
	return cpu, columns - cpu, 0
}

// Tick is one moment of the axis, with its label.
type Tick struct {
	At    int64
	Label string
}

// Ticks are moments at round times that leave room for their labels.
func (g Grid) Ticks() []Tick {
	most := int64(max(1, g.Width/tickDistance))
	step := int64(1)
	for i := 0; g.Total/step > most; i++ {
		step = step * []int64{2, 5, 2}[i%3] / []int64{1, 2, 1}[i%3]
	}
	var out []Tick
	for at := int64(0); at <= g.Total; at += step {
		out = append(out, Tick{At: at, Label: round(at)})
	}
	return out
}

// round writes a round time without digits that say nothing.
func round(us int64) string {
	in := func(unit int64, name string) string {
		return strconv.FormatFloat(float64(us)/float64(unit), 'f', -1, 64) + name
	}
	switch {
	case us == 0:
		return "0"
	case us < 1000:
		return in(1, "µs")
	case us < 1_000_000:
		return in(1000, "ms")
	case us < 60_000_000:
		return in(1_000_000, "s")
	}
	return span(us)
}
