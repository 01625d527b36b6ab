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
	bursty["keeps the second CPU"] = func() []part { return []part{keepsSecondCPU} }
	bursty["works by the clock"] = func() []part { return []part{worksByTheClock} }
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

// ownWork is what an act does by the clock, in CPU time of a processor that it has for
// itself.
const ownWork = 30 * time.Millisecond

// keepsSecondCPU is busy on the second CPU.
func keepsSecondCPU(ready func(), run <-chan struct{}, d time.Duration) (int, int32, error) {
	var one unix.CPUSet
	one.Set(1)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return 0, -1, err
	}
	return spinning(ready, run, d)
}

// worksByTheClock works every 200 ms, late or not, by rounds of arithmetic: a clock of CPU
// time has stolen time in it. The shortest of many rounds has none.
func worksByTheClock(ready func(), run <-chan struct{}, d time.Duration) (int, int32, error) {
	if err := undisturbed(); err != nil {
		return 0, -1, err
	}
	const tries, every = 200, 200 * time.Millisecond
	least := ownWork.Nanoseconds()
	for range tries {
		began := readClock(unix.CLOCK_THREAD_CPUTIME_ID)
		arithmetic()
		least = max(1, min(least, readClock(unix.CLOCK_THREAD_CPUTIME_ID)-began))
	}
	ready()
	<-run
	n, next := 0, readClock(unix.CLOCK_MONOTONIC)
	for more := until(d); more(); n++ {
		for range ownWork.Nanoseconds() / least {
			arithmetic()
		}
		next = max(next+every.Nanoseconds(), readClock(unix.CLOCK_MONOTONIC))
		nap(time.Duration(next - readClock(unix.CLOCK_MONOTONIC)))
	}
	return n, unix.SYS_NANOSLEEP, nil
}

// done is what arithmetic comes to, for the compiler to leave it in.
var done int

func arithmetic() {
	for i := range 20_000 {
		done += i ^ done
	}
}
