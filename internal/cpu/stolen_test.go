// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// The first lines of /proc/stat of a virtual machine with 2 CPUs that had
// more to do than they could: Linux 6.18, read 20 s apart.
const (
	statBefore = `cpu  5231990 166509 1658137 2775714 26464 0 56859 61797 0 0
`
	statAfter = `cpu  5235404 166511 1658691 2775714 26464 0 56867 61824 0 0
`
)

// TestStolenFromARealMachine: its unit shows in the sum, which is the time of both CPUs.
func TestStolenFromARealMachine(t *testing.T) {
	const began, took = 1_000_000_000, uint64(20 * time.Second)
	before, err := ParseNode(statBefore, began)
	if err != nil {
		t.Fatal(err)
	}
	after, err := ParseNode(statAfter, began+took)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Stolen(before, after), uint64(270*time.Millisecond); got != want {
		t.Errorf("%d ns stolen, want %d", got, want)
	}
	passed := (after.Total - before.Total) * tick
	if off := float64(passed) - 2*float64(took); off < 0 || off > float64(100*time.Millisecond) {
		t.Errorf("two CPUs spent %s in %s", time.Duration(passed), time.Duration(took))
	}
	if n := cpusOf(before, after); n != 2 {
		t.Errorf("%d CPUs, want 2", n)
	}
	// What was taken from CPUs that a container may not use is not said to be taken from it.
	h := Heard{Before: before, After: after, Recording: event.Recording{From: began, To: began + took, CPUs: 2, Stolen: 270_000_000}}
	c := Config{Wall: func(at uint64) time.Time { return time.Unix(0, int64(at)) }, Request: func(Container, event.Group) int64 { return 0 }}
	if got := c.summarize(h, Sample{}).bursts.StolenMicroseconds; got != 270_000 {
		t.Errorf("%d µs stolen, want 270,000", got)
	}
	h.Recording.CPUs = 1
	if got := c.summarize(h, Sample{}).bursts.StolenMicroseconds; got != 0 {
		t.Errorf("%d µs stolen from one of two CPUs", got)
	}
	var l load
	l.add(before)
	l.add(after)
	if !l.busy() {
		t.Error("a machine that was never idle is not busy")
	}
}

// Without an earlier reading, or where the counter ran backwards, as it has on machines
// that were moved, nothing is said to have been stolen.
func TestNothingIsStolenWhereItIsNotKnown(t *testing.T) {
	at := func(second, steal uint64) Node { return Node{Time: second * uint64(time.Second), Steal: steal} }
	for name, c := range map[string][2]Node{
		"no reading before": {{}, at(2, 90)},
		"no reading after":  {at(1, 90), {}},
		"backwards":         {at(1, 90), at(2, 10)},
	} {
		if got := Stolen(c[0], c[1]); got != 0 {
			t.Errorf("%s: %d ns", name, got)
		}
	}
}
