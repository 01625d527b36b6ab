// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// Now is the clock of events: CLOCK_MONOTONIC, in nanoseconds. It is asked for
// each event, and a system call for it would cost more than the event: Go's own
// reading of that clock (runtime.nanotime, by the vDSO) needs none.
func Now() uint64 { return epoch.clock + uint64(time.Since(epoch.at)) }

// Wall turns the clock of events into wall time. The offset between the two is taken
// anew at each use, so that a step of the wall clock shows.
func Wall(monotonic uint64) time.Time { return wall(monotonic, Now, time.Now) }

func wall(monotonic uint64, ours func() uint64, clock func() time.Time) time.Time {
	at, now := moment(ours, clock)
	return now.Add(time.Duration(int64(monotonic) - int64(at)))
}

// epoch is one moment in both clocks: what they are apart here, Now is wrong by for the
// life of the process.
var epoch = func() (e struct {
	at    time.Time
	clock uint64
}) {
	began := time.Now()
	at, clock := moment(
		func() uint64 { return uint64(time.Since(began)) },
		func() uint64 {
			var ts unix.Timespec
			// The clock exists on every Linux; the call cannot fail.
			_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
			return uint64(ts.Nano())
		})
	e.at, e.clock = began.Add(time.Duration(at)), clock
	return e
}()

const (
	// tries bounds how often a moment is sought, and near, in nanoseconds, is as close
	// as two readings of clocks one after the other come.
	tries, near = 5, 1000
)

// moment reads another clock between two readings of ours, and tells both for the same
// moment. The thread may lose its CPU between any two: the narrowest of some tries is
// taken, and its middle is wrong by at most half its width.
func moment[T any](ours func() uint64, other func() T) (at uint64, read T) {
	narrowest := uint64(math.MaxUint64)
	for try := 0; try < tries && narrowest > near; try++ {
		before := ours()
		r := other()
		if width := ours() - before; width < narrowest {
			narrowest, at, read = width, before+width/2, r
		}
	}
	return at, read
}
