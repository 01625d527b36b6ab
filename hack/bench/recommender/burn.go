// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"time"
)

// Work is measured in CPU time, never in time on the wall: it takes the same
// whatever the limit and whoever else runs.

// burn computes until this thread was charged d. Its caller is locked to its thread.
func burn(d time.Duration) {
	const piece = 2000 // a few microseconds
	x := uint64(1)
	for until := threadCPU() + d; threadCPU() < until; {
		spin(&x, piece)
	}
}

// spin is arithmetic that the compiler cannot leave out.
//
//go:noinline
func spin(x *uint64, rounds int) {
	for range rounds {
		*x ^= *x << 13
		*x ^= *x >> 7
		*x ^= *x << 17
	}
}

// calibrated is how many rounds of spin take a millisecond, for goroutines that
// change their thread and have no clock of their own.
func calibrated() int {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const rounds, tries = 1 << 20, 5
	best, x := time.Duration(1<<62), uint64(1)
	for range tries {
		before := threadCPU()
		spin(&x, rounds)
		best = min(best, threadCPU()-before)
	}
	return int(int64(rounds) * int64(time.Millisecond) / int64(max(best, 1)))
}
