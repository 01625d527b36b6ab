// SPDX-License-Identifier: Apache-2.0

//go:build bare

package bpf

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	bursty["gaps"] = func() []part {
		var all []part
		for cpu := range runtime.NumCPU() {
			all = append(all, gaps(cpu))
		}
		return all
	}
}

// gaps reads the clock all the time on one CPU, and says for how long (ns) it could not.
func gaps(cpu int) part {
	// A look at the clock takes some microseconds on an emulated CPU, an interrupt tens.
	const gap = int64(500 * time.Microsecond)
	return func(ready func(), run <-chan struct{}, d time.Duration) (int, int32, error) {
		var one unix.CPUSet
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return 0, -1, err
		}
		ready()
		<-run
		sum, last := int64(0), readClock(unix.CLOCK_MONOTONIC)
		for end := last + d.Nanoseconds(); last < end; {
			now := readClock(unix.CLOCK_MONOTONIC)
			if now-last >= gap {
				sum += now - last
			}
			last = now
		}
		return int(sum), -1, nil
	}
}
