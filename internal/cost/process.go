// SPDX-License-Identifier: Apache-2.0

package cost

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ReadProcess reads what this process has used: its CPU time from getrusage, its
// resident memory from /proc/self/statm.
func ReadProcess() (Process, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return Process{}, fmt.Errorf("read the observer's own CPU time: %w", err)
	}
	p := Process{CPU: time.Duration(u.Utime.Nano() + u.Stime.Nano())}
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return p, fmt.Errorf("read the observer's own memory: %w", err)
	}
	const resident = 1
	fields := strings.Fields(string(raw))
	if len(fields) <= resident {
		return p, fmt.Errorf("/proc/self/statm is %q", raw)
	}
	pages, err := strconv.ParseUint(fields[resident], 10, 64)
	if err != nil {
		return p, fmt.Errorf("read the observer's own memory: %w", err)
	}
	p.Resident = pages * uint64(os.Getpagesize())
	return p, nil
}

// ThreadTime is the CPU time that work takes in this goroutine. What it has others
// do, the collector of garbage among them, is not in it.
func ThreadTime(work func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, known := threadClock()
	work()
	after, still := threadClock()
	if !known || !still {
		return 0
	}
	return after - before
}

func threadClock() (time.Duration, bool) {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
		return 0, false
	}
	return time.Duration(ts.Nano()), true
}
