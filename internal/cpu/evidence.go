// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"strconv"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// pathMax bounds a cgroup's path in the evidence, in bytes.
const pathMax = 400

// between is a counter before and after.
func between(source string, before, after uint64) v1alpha1.Evidence {
	return v1alpha1.Evidence{
		Source: source, Before: strconv.FormatUint(before, 10), After: strconv.FormatUint(after, 10),
	}
}

// evidence lists the raw counters of every level that throttled, as a reader of
// cpu.stat would see them.
func evidence(first, now Sample) []v1alpha1.Evidence {
	const levelsMax = 3
	var all []v1alpha1.Evidence
	levels := 0
	for i, l := range now.Levels {
		if i > 0 && difference(first, now, i).throttled == 0 || levels == levelsMax {
			continue
		}
		levels++
		was, of := first.Levels[i], PathEnd(l.Path, pathMax)
		all = append(all,
			between("cpu.stat nr_periods of "+of, uint64(was.Periods), uint64(l.Periods)),
			between("cpu.stat nr_throttled of "+of, uint64(was.Throttled), uint64(l.Throttled)),
			between("throttled time (ns) of "+of, was.ThrottledTime, l.ThrottledTime))
	}
	was, own := first.Levels[0], now.Levels[0]
	all = append(all, between("CPU time (ns) of "+PathEnd(own.Path, pathMax), was.Usage, own.Usage))
	// What a recording adds must find room as well.
	const roomFor = 10
	if was.Pressure > 0 && own.Pressure >= was.Pressure && len(all) < roomFor {
		all = append(all, between("cpu.pressure some total (ns) of "+PathEnd(own.Path, pathMax), was.Pressure, own.Pressure))
	}
	return all
}

// evidenceHeard is what else a recording rests on: the container's weight, and
// what the hypervisor took meanwhile, if it did.
func evidenceHeard(h Heard, path string) []v1alpha1.Evidence {
	var all []v1alpha1.Evidence
	if before, after := h.own(); before.Shares > 0 {
		all = append(all, between("weight (shares of task_group) of "+PathEnd(path, pathMax), before.Shares, after.Shares))
	}
	if h.After.Steal > h.Before.Steal {
		all = append(all, between("/proc/stat cpu steal (USER_HZ)", h.Before.Steal, h.After.Steal))
	}
	return all
}
