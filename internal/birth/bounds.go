// SPDX-License-Identifier: Apache-2.0

package birth

import "time"

const (
	// eventsMax bounds the events that are kept of one birth, eventsMaxAll those of
	// all that are under way or wait for their images: with a birth of every pod of a
	// full node at once, some hundred each.
	eventsMax    = 4096
	eventsMaxAll = 131072
	// untoldFor is how long the API server has to tell a pod before it is taken to be
	// another node's.
	untoldFor = uint64(30 * time.Second)
)

// isForeign is true for the birth of a pod that the API server does not tell.
func (b *Book) isForeign(uid string, current *birth, now uint64) bool {
	return !b.config.WithoutAPI && b.pods[uid] == nil && now > current.began+untoldFor
}

// hasRoom is false where a further event of the birth cannot be kept. It is counted
// then, and the certificate says so.
func (b *Book) hasRoom(current *birth) bool {
	if len(current.events) >= eventsMax {
		return false
	}
	if b.kept >= eventsMaxAll {
		b.kept = 0 // births have ended since
		for _, other := range b.births {
			b.kept += len(other.events)
		}
		for _, l := range b.late {
			b.kept += len(l.birth.events)
		}
	}
	if b.kept >= eventsMaxAll {
		return false
	}
	b.kept++
	return true
}
