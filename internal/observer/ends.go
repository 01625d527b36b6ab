// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
)

const (
	// namesMax is how long a birth at its end waits for the names of what was heard
	// meanwhile. Of its neighbors something has no name yet at any time: a mount is
	// heard some milliseconds before whoever says for which pod it is.
	namesMax = uint64(2 * time.Second)
	// unreadMax is how long it waits for what had happened by then and was not read yet:
	// an observer that gets no CPU is behind. It is told without the rest afterwards.
	unreadMax = uint64(30 * time.Second)
)

// end is when a birth came to rest, and when all that belongs to it had been read and
// where the stream of events was then. unread is since when it had not: nobody waited longer.
type end struct {
	rested, read, unread uint64
	mark                 attribution.Mark
}

// told is true once all that happened while a birth lasted has been read and has a
// name, or the time for it is up.
func (e *Engine) told(uid string, now uint64) bool {
	at, again := e.ends[uid]
	if !again {
		at = end{rested: now}
	}
	heard := e.hasHeard(at.rested)
	if at.read == 0 && (heard || now-at.rested >= unreadMax) {
		at.read, at.mark = now, e.ledger.End()
		if !heard {
			at.unread = e.heard
		}
	}
	e.ends[uid] = at
	return at.read != 0 && (e.window(uid).Unresolved == 0 || now-at.read >= namesMax)
}

// hasHeard is true once what happened before a birth came to rest has been read: what
// is in the stream of events is at most as old as the birth has been settled then.
func (e *Engine) hasHeard(rested uint64) bool {
	return e.heard == 0 || e.heard+uint64(e.config.Birth.Settle) >= rested
}

// window is what was heard while a birth lasted, or has lasted so far.
func (e *Engine) window(uid string) attribution.Window {
	if at := e.ends[uid]; at.read != 0 {
		return e.ledger.Between(e.book.Mark(uid), at.mark)
	}
	return e.ledger.Since(e.book.Mark(uid))
}
