// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"slices"
)

// gap is between two columns of a table.
const gap = 2

// column of a table. Where the terminal is too narrow, columns give way in the
// order of their rank: one with a minimum is cut down to it, one without is left out.
type column struct {
	title string
	right bool
	rank  int // 0 never gives way
	least int
}

// text of a table's cell.
type text struct {
	s    string
	tone tone
}

// table is aligned and cut to a terminal's width; it never wraps.
type table struct {
	columns []column
	rows    [][]text
}

func (t *table) add(row ...text) { t.rows = append(t.rows, row) }

// widths of the columns, -1 for one that is left out.
func (t *table) widths(limit int) []int {
	natural := make([]int, len(t.columns))
	last := t.highest() // gives way last
	for i, c := range t.columns {
		natural[i] = cells(c.title)
		for _, row := range t.rows {
			natural[i] = max(natural[i], cells(row[i].s))
		}
	}
	widths := slices.Clone(natural)
	if limit <= 0 {
		return widths
	}
	t.giveWay(widths, limit, last, func(i int) int { return cmp.Or(min(natural[i], t.columns[i].least), leftOut) })
	// Where even that is too wide, cut columns are left out too, but for the last.
	t.giveWay(widths, limit, last-1, func(int) int { return leftOut })
	t.restore(widths, natural, limit)
	t.widen(widths, natural, limit)
	return widths
}

// leftOut is the width of a column that has given way altogether.
const leftOut = -1

// giveWay narrows columns up to a rank, until the table fits.
func (t *table) giveWay(widths []int, limit, last int, to func(column int) int) {
	for rank := 1; rank <= last && over(widths, limit) > 0; rank++ {
		for i, c := range t.columns {
			if c.rank == rank {
				widths[i] = to(i)
			}
		}
	}
}

// widen gives what is left over to columns that were cut, those of the highest rank first.
func (t *table) widen(widths, natural []int, limit int) {
	for rank := t.highest(); rank > 0; rank-- {
		for i, c := range t.columns {
			if c.rank == rank && widths[i] >= 0 {
				widths[i] = min(natural[i], widths[i]+max(0, -over(widths, limit)))
			}
		}
	}
}

func (t *table) highest() int {
	rank := 0
	for _, c := range t.columns {
		rank = max(rank, c.rank)
	}
	return rank
}

// restore brings back columns that have room after all, the last one first.
func (t *table) restore(widths, natural []int, limit int) {
	for rank := t.highest(); rank > 0; rank-- {
		for i, c := range t.columns {
			if c.rank == rank && widths[i] < 0 && over(widths, limit)+gap+natural[i] <= 0 {
				widths[i] = natural[i]
			}
		}
	}
}

// over is by how much a table is too wide.
func over(widths []int, limit int) int {
	n := -gap
	for _, w := range widths {
		if w >= 0 {
			n += w + gap
		}
	}
	return n - limit
}

func (t *table) write(p *page) {
	limit := p.limit()
	widths := t.widths(limit)
	head := make([]text, len(t.columns))
	for i, c := range t.columns {
		head[i] = text{c.title, bold}
	}
	for _, row := range append([][]text{head}, t.rows...) {
		line := newCanvas(max(limit, over(widths, 0)))
		if limit > 0 {
			line = newCanvas(limit)
		}
		at := 0
		for i, w := range widths {
			if w < 0 {
				continue
			}
			if s := fit(row[i].s, w); t.columns[i].right {
				line.putRight(at+w, s, row[i].tone)
			} else {
				line.put(at, s, row[i].tone)
			}
			at += w + gap
		}
		p.draw(line)
	}
}

// dropFirst takes the first column out.
func (t *table) dropFirst() {
	t.columns = t.columns[1:]
	for i := range t.rows {
		t.rows[i] = t.rows[i][1:]
	}
}

// drop takes the column of a title out.
func (t *table) drop(title string) {
	i := slices.IndexFunc(t.columns, func(c column) bool { return c.title == title })
	if i < 0 {
		return
	}
	t.columns = slices.Delete(t.columns, i, i+1)
	for r := range t.rows {
		t.rows[r] = slices.Delete(t.rows[r], i, i+1)
	}
}
