// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"math"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// atOnce is how soon after its root's wake a thread must have been woken to share
// its work, the time that a quota held the root not counted. Whoever is woken later
// may be handed what somebody else has done.
const atOnce = uint64(10 * time.Millisecond)

// parallel is among how many threads the container divides one piece of work: the
// mean over outside activations, by their CPU time, of the threads that were woken
// at once. Threads that hardly computed hardly count: n that computed alike are n,
// one that computed and many that only looked are 1.
func parallel(all []activation) int64 {
	roots := make([]int, len(all))
	work := map[int]map[uint32]uint64{} // CPU time by root and thread
	for i := range all {
		a := &all[i]
		roots[i] = i
		if a.cause >= 0 {
			roots[i] = roots[a.cause]
		}
		root := &all[roots[i]]
		if !root.outside || a.woken > root.woken+root.parked+atOnce {
			continue
		}
		if work[roots[i]] == nil {
			work[roots[i]] = map[uint32]uint64{}
		}
		work[roots[i]][a.tid] += a.cpu
	}
	var sum, weights float64
	for _, threads := range work {
		effective, cpu := spread(threads)
		sum += effective * cpu
		weights += cpu
	}
	if weights == 0 {
		return 0
	}
	return int64(math.Round(sum / weights))
}

// looping is how many threads share the CPU time that nobody outside asked for; a
// loop that wanders from thread to thread counts for those that it has visited.
func looping(r event.Recording, all []activation) int64 {
	if neverSlept(r, all) == 0 {
		return 0
	}
	threads := map[uint32]uint64{}
	for i := range all {
		if a := &all[i]; !a.asked {
			threads[a.tid] += a.cpu
		}
	}
	effective, _ := spread(threads)
	return int64(math.Round(effective))
}

// spread is the number of equal parts that are as unequal as these, the inverse of
// Simpson's index, and their sum.
func spread(parts map[uint32]uint64) (effective, sum float64) {
	var squares float64
	for _, part := range parts {
		sum += float64(part)
		squares += float64(part) * float64(part)
	}
	if squares == 0 {
		return 0, 0
	}
	return sum * sum / squares, sum
}
