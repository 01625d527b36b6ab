// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Node is how a node's CPUs have spent their time, all of them together, from
// /proc/stat, in its unit (USER_HZ: a hundredth of a second).
type Node struct {
	// Time at which it was read (CLOCK_MONOTONIC, ns).
	Time uint64 `json:"time"`
	// Idle has iowait in it. Steal is what the hypervisor took. Total is everything
	// that was counted, which is not CPUs times the time that passed where a hypervisor
	// steals: a tick after a pause counts as stolen alone, and an idle CPU that its
	// hypervisor wakes late was idle and stolen from.
	Idle  uint64 `json:"idle"`
	Steal uint64 `json:"steal"`
	Total uint64 `json:"total"`
	// CPUs that are online; 0 where it was not read.
	CPUs int `json:"cpus,omitempty"`
}

// tick is the unit of /proc/stat: USER_HZ is 100 on all machines that Go knows.
const tick = uint64(10 * time.Millisecond)

const (
	// busyWithin and busyIdle: a node is busy while of the last busyWithin its CPUs
	// were idle for less than busyIdle (0..1). With more, whoever waits for a CPU is
	// at the wrong one, and for short; a crowd of some seconds is none to act upon.
	busyWithin = 10 * time.Second
	busyIdle   = 0.05
)

// Stolen is the time (ns) that the hypervisor took from all CPUs between two
// readings; 0 where either is missing.
func Stolen(before, after Node) uint64 {
	if before.Time == 0 || after.Steal < before.Steal {
		return 0
	}
	return (after.Steal - before.Steal) * tick
}

// cpusOf is how many CPUs there were at any of two readings.
func cpusOf(before, after Node) int { return max(before.CPUs, after.CPUs) }

// ParseNode reads /proc/stat as it was at a time. Time as a guest is part of that as a
// user and not counted twice.
func ParseNode(stat string, at uint64) (Node, error) {
	line, rest, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	const label, used = 1, 8 // user nice system idle iowait irq softirq steal
	if len(fields) < label+used || fields[0] != "cpu" {
		return Node{}, fmt.Errorf("the first line of /proc/stat is %q", line)
	}
	var n [used]uint64
	out := Node{Time: at, CPUs: online(rest)}
	if out.CPUs == 0 {
		return Node{}, errors.New("/proc/stat has no line of any one CPU")
	}
	for i := range n {
		v, err := strconv.ParseUint(fields[label+i], 10, 64)
		if err != nil {
			return Node{}, fmt.Errorf("read /proc/stat: %w", err)
		}
		n[i] = v
		out.Total += v
	}
	out.Idle, out.Steal = n[3]+n[4], n[7]
	return out, nil
}

// online counts the CPUs that have a line of their own, which come first.
func online(lines string) int {
	n := 0
	for line := range strings.Lines(lines) {
		if !strings.HasPrefix(line, "cpu") {
			break
		}
		n++
	}
	return n
}

// load keeps what is needed to tell whether the node is busy.
type load struct{ read []Node }

// add takes a reading. Counters that ran backwards begin anew.
func (l *load) add(n Node) {
	if k := len(l.read); k > 0 && (n.Total < l.read[k-1].Total || n.Time <= l.read[k-1].Time) {
		l.read = nil
	}
	l.read = append(l.read, n)
	for len(l.read) > 2 && n.Time-l.read[1].Time >= uint64(busyWithin) {
		l.read = l.read[1:]
	}
}

// busy is true while the CPUs are nearly never idle. It takes busyWithin to be
// known.
func (l *load) busy() bool {
	if len(l.read) < 2 {
		return false
	}
	first, last := l.read[0], l.read[len(l.read)-1]
	passed, idle := last.Time-first.Time, span(first.Idle, last.Idle)*tick
	all := float64(min(first.CPUs, last.CPUs)) * float64(passed)
	return passed >= uint64(busyWithin) && float64(idle) < busyIdle*all
}
