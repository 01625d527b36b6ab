// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strconv"

	"golang.org/x/term"

	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// terminal is what the output goes to, as the flags and the environment have it.
func (g *gossip) terminal() view.Terminal {
	columns, is := g.size()
	if !is {
		// Somebody who sets COLUMNS for a pipe wants that width.
		if n, err := strconv.Atoi(g.getenv("COLUMNS")); err == nil && n > 0 {
			columns = n
		}
	}
	t := view.Terminal{Width: columns, Color: g.color == colorAlways}
	if g.color == colorAuto {
		t.Color = is && g.getenv("NO_COLOR") == "" && g.getenv("TERM") != "dumb"
	}
	return t
}

// sizeOf asks the system for a terminal's width; 0 where a stream is no
// terminal, or where it does not know.
func sizeOf(stream any) (columns int, terminal bool) {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, true
	}
	return columns, true
}
