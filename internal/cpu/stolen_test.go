// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// The first lines of /proc/stat of a virtual machine with 2 CPUs that had
// more to do than they could: Linux 6.18, read 20 s apart. The lines of each CPU were not
// kept, but for their names.
const (
	statBefore = `cpu  5231990 166509 1658137 2775714 26464 0 56859 61797 0 0
cpu0
cpu1
`
	statAfter = `cpu  5235404 166511 1658691 2775714 26464 0 56867 61824 0 0
cpu0
cpu1
`
)

// Those of a guest of Xen (Linux 6.1) with two virtual CPUs on one, of which one was busy
// and the other worked now and then.
const (
	guestBefore, guestBeforeAt = `cpu  250 0 783 776 0 0 2 1467 0 0
cpu0 93 0 275 539 0 0 0 895 0 0
cpu1 156 0 507 236 0 0 1 572 0 0
intr 9 0
`, uint64(13_669_927_273)
	guestAfter, guestAfterAt = `cpu  463 0 994 970 0 0 3 1966 0 0
cpu0 168 0 340 733 0 0 1 1205 0 0
cpu1 294 0 654 236 0 0 2 760 0 0
intr 9 0
`, uint64(18_757_544_200)
)

// TestCPUsOfAStolenNode: the times of a node from which time is stolen are not those of its
// CPUs. Of a container that may use all of them what was stolen is told.
func TestCPUsOfAStolenNode(t *testing.T) {
	const many = 4 // such machines as one: what a second CPU rounds away shows
	read := func(stat string, at uint64) Node {
		n, err := ParseNode(stat, at)
		if err != nil {
			t.Fatal(err)
		}
		return Node{Time: n.Time, Idle: many * n.Idle, Steal: many * n.Steal, Total: many * n.Total, CPUs: many * n.CPUs}
	}
	before, after := read(guestBefore, guestBeforeAt), read(guestAfter, guestAfterAt)
	const cpus = 2 * many
	if sum := float64((after.Total-before.Total)*tick) / float64(after.Time-before.Time); sum < cpus+0.5 {
		t.Fatalf("the times are those of %.2f CPUs", sum)
	}
	if n := cpusOf(before, after); n != cpus {
		t.Errorf("%d CPUs, want %d", n, cpus)
	}
	stolen := Stolen(before, after)
	h := Heard{Before: before, After: after, Recording: event.Recording{From: before.Time, To: after.Time, CPUs: cpus, Stolen: stolen}}
	c := Config{Wall: func(at uint64) time.Time { return time.Unix(0, int64(at)) }, Request: func(Container, event.Group) int64 { return 0 }}
	if got := c.summarize(h, Sample{}).bursts.StolenMicroseconds; got != 4*4_990_000 {
		t.Errorf("%d µs stolen, want 19,960,000", got)
	}
}

// TestBusyOfAStolenNode: whether a node is busy goes by the time that its CPUs had, and not
// by what was counted of it.
func TestBusyOfAStolenNode(t *testing.T) {
	const second = uint64(time.Second)
	for name, c := range map[string]struct {
		idle, total uint64
		busy        bool
	}{
		"4 % idle, a third is not counted":   {80, 1340, true},
		"6 % idle, a tenth is counted twice": {120, 2400, false},
		"4 % idle, and all is counted":       {80, 2000, true},
		"6 % idle, and all is counted":       {120, 2000, false},
	} {
		var l load
		l.add(Node{Time: second, CPUs: 2})
		l.add(Node{Time: 11 * second, Idle: c.idle, Total: c.total, CPUs: 2})
		if l.busy() != c.busy {
			t.Errorf("%s: busy is %t", name, l.busy())
		}
	}
}

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
