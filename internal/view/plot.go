// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"math"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// plot divides a line among a limit with its words, an axis of percentages, and
// columns of numbers: as many as there is room for.
type plot struct {
	columns, from, width int
	interval, stall      bool
	top                  float64
}

// How a plot is divided, in columns.
const (
	limitEnd      = 7
	plotFrom      = 18
	throttledCols = 10
	intervalCols  = 13
	stallCols     = 10
)

func newPlot(columns int, top float64) plot {
	g := plot{columns: columns, from: plotFrom, top: top, interval: columns > narrow, stall: columns > 56}
	g.width = max(1, columns-g.from-throttledCols)
	if g.interval {
		g.width -= intervalCols
	}
	if g.stall {
		g.width -= stallCols
	}
	return g
}

// column of a percentage.
func (g plot) column(percent float64) int {
	return g.from + int(math.Round(min(percent/g.top, 1)*float64(g.width-1)))
}

// ends are the columns in which the numbers end; 0 for one without room.
func (g plot) ends() (throttled, interval, stall int) {
	at := g.from + g.width + throttledCols
	throttled = at
	if g.interval {
		at += intervalCols
		interval = at
	}
	if g.stall {
		stall = at + stallCols
	}
	return throttled, interval, stall
}

func (g plot) scale(p *page) {
	c := newCanvas(g.columns)
	c.putRight(limitEnd, "LIMIT", bold)
	for _, share := range []float64{0, 0.5, 1} {
		label := fmt.Sprintf("%g%%", g.top*share)
		at := g.column(g.top * share)
		if share > 0 {
			at -= cells(label) - 1
		}
		if c.free(at-1, at+cells(label)) {
			c.put(at, label, dim)
		}
	}
	throttled, interval, stall := g.ends()
	c.putRight(throttled, "THROTTLED", bold)
	if interval > 0 {
		c.putRight(interval, "INTERVAL", bold)
	}
	if stall > 0 {
		c.putRight(stall, "STALL P99", bold)
	}
	p.draw(c)
}

func (g plot) row(p *page, cv *curve, x point) {
	c := newCanvas(g.columns)
	mark := plain
	if x.word != "" {
		mark = bold
	}
	c.putRight(limitEnd, Millicores(x.limit), mark)
	c.put(limitEnd+1, x.word, mark)
	c.put(g.from, strings.Repeat(" ", g.width), plain)
	if cv.target != nil {
		c.put(g.column(number(cv.target.ThrottledPercent)), glyphGrid, dim)
	}
	if x.predicted != nil {
		g.prediction(c, cv, x.predicted)
	}
	for _, m := range x.measured {
		at, glyph := g.column(number(m)), glyphMeasured
		if x.predicted != nil && at == g.column(number(x.predicted.ThrottledPercent)) {
			glyph = glyphBoth
		}
		c.put(at, glyph, bold)
	}
	g.numbers(c, x, mark)
	p.draw(c)
}

func (g plot) prediction(c canvas, cv *curve, x *v1alpha1.Predicted) {
	low, high := g.column(number(x.ThrottledPercentLow)), g.column(number(x.ThrottledPercentHigh))
	if high > low {
		c.put(low, strings.Repeat(glyphInterval, high-low+1), onCPU)
	}
	glyph, tone := glyphMisses, bad
	if cv.meets(x) {
		glyph, tone = glyphMeets, good
	}
	c.put(g.column(number(x.ThrottledPercent)), glyph, tone)
}

// numbers of the prediction; where there is none the measured share, marked.
func (g plot) numbers(c canvas, x point, mark tone) {
	throttled, interval, stall := g.ends()
	if x.predicted == nil {
		for _, m := range x.measured {
			c.putRight(throttled, glyphMeasured+" "+m+"%", mark)
		}
		return
	}
	c.putRight(throttled, x.predicted.ThrottledPercent+"%", mark)
	if interval > 0 {
		c.putRight(interval, intervalOf(x.predicted), plain)
	}
	if stall > 0 {
		c.putRight(stall, span(x.predicted.StallP99Microseconds), plain)
	}
}

func intervalOf(x *v1alpha1.Predicted) string {
	return x.ThrottledPercentLow + "–" + x.ThrottledPercentHigh
}
