// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/kernel-gossip/kernel-gossip/internal/screen"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// terminal is what the output goes to, as the flags and the environment have it.
func (g *gossip) terminal() view.Terminal {
	columns, is := g.size()
	return screen.Terminal(columns, is, g.color, g.getenv)
}

// sizeOf asks the system for a terminal's width; 0 where a stream is no
// terminal, or where it does not know.
func sizeOf(stream any) (columns int, terminal bool) { return screen.Size(stream) }
