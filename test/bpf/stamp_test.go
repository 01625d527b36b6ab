// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// A reading is as old as its time says: the program that reads takes the time, not who
// asks it to and may wait for a CPU in between.
func TestAReadingsTime(t *testing.T) {
	k := listen(t)
	_, path := makeCgroup(t, "stamp")
	made := k.made(path)
	const apart = 1000 // ns: by so much the two clocks may have been read apart
	last := uint64(0)
	for range 100 {
		before := probe.Now()
		g, err := k.ReadGroup(made.Cgroup, made.Pointer)
		after := probe.Now()
		if err != nil || g.Time+apart < before || g.Time > after+apart || g.Time <= last {
			t.Fatalf("read at %d, between %d and %d, after %d: %v", g.Time, before, after, last, err)
		}
		last = g.Time
	}
}
