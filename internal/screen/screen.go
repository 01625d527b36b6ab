// SPDX-License-Identifier: Apache-2.0

// Package screen finds out what a command's output goes to.
package screen

import (
	"os"
	"strconv"

	"golang.org/x/term"

	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// The values of --color.
const (
	ColorAuto   = "auto" // on a terminal, unless NO_COLOR is set or TERM is dumb
	ColorAlways = "always"
	ColorNever  = "never"
)

// Size asks the system for a terminal's width; 0 where a stream is no terminal, or
// where it does not know.
func Size(stream any) (columns int, terminal bool) {
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

// Terminal is what to render for, as a stream's size, a value of --color and the
// environment have it.
func Terminal(columns int, terminal bool, color string, getenv func(string) string) view.Terminal {
	if !terminal {
		// Somebody who sets COLUMNS for a pipe wants that width.
		if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
			columns = n
		}
	}
	t := view.Terminal{Width: columns, Color: color == ColorAlways}
	if color == ColorAuto {
		t.Color = terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	}
	return t
}
