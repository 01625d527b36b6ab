// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// threadTime is the CPU time of the calling thread (CLOCK_THREAD_CPUTIME_ID).
func threadTime() time.Duration {
	const clockThreadCPUTime = 3
	var ts syscall.Timespec
	// The clock exists on every Linux; the call cannot fail.
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPUTime, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano())
}

// burn computes for so much CPU time of the calling thread, which must be locked
// to its goroutine.
func burn(cpu time.Duration) {
	for end := threadTime() + cpu; threadTime() < end; {
		spin()
	}
}

//go:noinline
func spin() {
	for i := 0; i < 20_000; i++ {
		_ = i
	}
}

// onThreads runs do on so many threads of their own, and waits for none.
func onThreads(n int, do func()) {
	for range n {
		go func() {
			runtime.LockOSThread()
			do()
		}()
	}
}

func burnAlways(o options) error {
	onThreads(o.threads, func() {
		for {
			spin()
		}
	})
	select {}
}

// tick computes on all threads at the same moments, which do not move when a tick
// takes longer.
func tick(o options) error {
	begin := time.Now()
	onThreads(o.threads, func() {
		for next := begin; ; next = next.Add(o.every) {
			time.Sleep(time.Until(next))
			burn(o.cpu)
		}
	})
	select {}
}
