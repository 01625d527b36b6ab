// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of a workload's threads bypass Go's scheduler. It would take a
// thread's P while the thread sleeps, and its sysmon thread would wake itself
// thousands of times a second to look for such: bursts of Go's in what stands for
// a program of plain threads. Here each thread keeps its P; there are enough.

// rawRead fills p with one message; false at the end of the scene.
func rawRead(fd int, p []byte) bool {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
		if errno != unix.EINTR {
			return errno == 0 && int(n) == len(p)
		}
	}
}

// rawWrite sends one message; false at the end of the scene.
func rawWrite(fd int, p []byte) bool {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
		if errno != unix.EINTR {
			return errno == 0 && int(n) == len(p)
		}
	}
}

// rawClock reads a clock; those that are asked for exist on every Linux.
func rawClock(clock uintptr) time.Duration {
	var ts unix.Timespec
	_, _, _ = unix.RawSyscall(unix.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano())
}

// threadCPU is what the scheduler has charged this thread.
func threadCPU() time.Duration { return rawClock(unix.CLOCK_THREAD_CPUTIME_ID) }

func monotonic() time.Duration { return rawClock(unix.CLOCK_MONOTONIC) }

// sleepUntil sleeps on the thread's own timer, not on Go's.
func sleepUntil(t time.Duration) {
	ts := unix.NsecToTimespec(int64(t))
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		if errno != unix.EINTR {
			return
		}
	}
}
