// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// errForm says that a control file does not look as the kernel documents it.
var errForm = errors.New("not of the form that the kernel documents")

const (
	perMicrosecond = 1000
	// sharesOfOne is what a weight of 100, the default of v2, is in shares.
	sharesOfOne, weightOfOne = 1024, 100
)

// parseStat takes cpu.stat: on v1 its times are in nanoseconds, on v2 in
// microseconds, and only there it has the usage.
func parseStat(raw []byte, g *event.Group) error {
	for line := range bytes.Lines(raw) {
		key, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte{' '})
		if !ok {
			return fmt.Errorf("%w: %q", errForm, line)
		}
		n, err := strconv.ParseUint(string(value), 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %q", errForm, line)
		}
		switch string(key) {
		case "nr_periods":
			g.Periods = uint32(n)
		case "nr_throttled":
			g.Throttled = uint32(n)
		case "throttled_time":
			g.ThrottledTime = n
		case "throttled_usec":
			g.ThrottledTime = n * perMicrosecond
		case "usage_usec":
			g.Usage = n * perMicrosecond
		}
	}
	return nil
}

// parseMax takes cpu.max of v2: the quota or "max", and the period.
func parseMax(raw []byte, g *event.Group) error {
	f := bytes.Fields(raw)
	if len(f) != 2 {
		return fmt.Errorf("%w: %q", errForm, raw)
	}
	period, err := number(f[1])
	if err == nil && string(f[0]) != "max" {
		var quota uint64
		quota, err = number(f[0])
		g.Quota = quota * perMicrosecond
	}
	g.Period = period * perMicrosecond
	return err
}

// parseQuota takes cpu.cfs_quota_us of v1; -1 is none.
func parseQuota(raw []byte, g *event.Group) error {
	if string(bytes.TrimSpace(raw)) == "-1" {
		return nil
	}
	quota, err := number(raw)
	g.Quota = quota * perMicrosecond
	return err
}

// parsePressure takes the total (µs) of cpu.pressure's first line: the time in
// which some thread of the cgroup waited for a CPU.
func parsePressure(raw []byte) (uint64, error) {
	line, _, _ := bytes.Cut(raw, []byte{'\n'})
	_, total, ok := bytes.Cut(line, []byte(" total="))
	if !ok || !bytes.HasPrefix(line, []byte("some ")) {
		return 0, fmt.Errorf("%w: %q", errForm, line)
	}
	n, err := number(total)
	return n * perMicrosecond, err
}

// shares that a weight of v2 is on the scale of v1 (sched_weight_to_cgroup and
// its reverse, kernel/sched/core.c), rounded as the kernel does it.
func shares(weight uint64) uint64 {
	return (weight*sharesOfOne + weightOfOne/2) / weightOfOne
}

func number(raw []byte) (uint64, error) {
	n, err := strconv.ParseUint(string(bytes.TrimSpace(raw)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %q", errForm, raw)
	}
	return n, nil
}
