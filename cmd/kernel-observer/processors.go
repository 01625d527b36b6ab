// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime"

	"github.com/kernel-gossip/kernel-gossip/internal/cost"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
)

// An observer wakes often and has little to do each time. With a processor of Go's for
// each CPU, half of what it cost was their looking for work, and waking each other for it.
// It has one, and a second while a recording is replayed: that takes up to a second, in
// which births are heard as well.
const (
	processors          = 1
	processorsReplaying = 2
)

// limitProcessors sets how much Go code runs at a time, unless GOMAXPROCS is set. It
// returns whether it did.
func limitProcessors() bool {
	if os.Getenv("GOMAXPROCS") != "" {
		return false
	}
	runtime.GOMAXPROCS(processors)
	return true
}

// replaying charges a cost, and gives replays a processor more. They come one at a time.
type replaying struct{ observer.Cost }

// Charge implements observer.Cost.
func (r replaying) Charge(p cost.Part, work func()) {
	if p == cost.PartReplay {
		runtime.GOMAXPROCS(processorsReplaying)
		defer runtime.GOMAXPROCS(processors)
	}
	r.Cost.Charge(p, work)
}
