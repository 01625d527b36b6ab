// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// account is what an act says of its waiting, by clocks that have nothing to do
// with the programs: its own, and the kernel's of the thread. All in nanoseconds.
type account struct {
	// Took is how long it was by CLOCK_MONOTONIC, CPU by CLOCK_THREAD_CPUTIME_ID.
	Took, CPU int64
	// Ran and Queued are from /proc/thread-self/schedstat: on a CPU, and ready to run
	// but not on one; both -1 where the kernel does not keep them.
	Ran, Queued int64
	// Process is the CPU time of the whole process so far (getrusage).
	Process int64
}

// ways to wait, for about as long as they are told or until the test lets them.
var ways = map[string]func(time.Duration, []string) error{
	"timer":   sleepOnTimer,
	"futex":   sleepOnFutex,
	"flock":   waitForLock,
	"read":    waitForPipe,
	"process": waitForProcess,
	"accept":  waitForConnection,
	"recv":    waitForDatagram,
	"burn":    burn,
	"crowded": burnOnFirstCPU,
	"disk":    writeToDisk,
}

// wait waits in one way and tells of it. Arguments: way, milliseconds, mark, and
// what the way needs.
func wait(args []string) error {
	debug.SetGCPercent(-1)
	runtime.LockOSThread()
	ms, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	way := ways[args[0]]
	if way == nil {
		return fmt.Errorf("no such way to wait: %s", args[0])
	}
	before, began := accountOfThread(), readClock(unix.CLOCK_MONOTONIC)
	fmt.Println("ready")
	if err := way(time.Duration(ms)*time.Millisecond, args[3:]); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	after := accountOfThread()
	after.Took = readClock(unix.CLOCK_MONOTONIC) - began
	after.CPU -= before.CPU
	if after.Ran >= 0 {
		after.Ran, after.Queued = after.Ran-before.Ran, after.Queued-before.Queued
	}
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return err
	}
	after.Process = used.Utime.Nano() + used.Stime.Nano()
	return json.NewEncoder(os.Stdout).Encode(after)
}

func readClock(id int32) int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(id, &now); err != nil {
		panic(err) // no kernel without that clock runs this
	}
	return now.Nano()
}

func accountOfThread() account {
	a := account{CPU: readClock(unix.CLOCK_THREAD_CPUTIME_ID), Ran: -1, Queued: -1}
	raw, err := os.ReadFile("/proc/thread-self/schedstat")
	if err != nil {
		return a // a kernel without CONFIG_SCHED_INFO
	}
	if _, err := fmt.Sscan(string(raw), &a.Ran, &a.Queued); err != nil {
		a.Ran, a.Queued = -1, -1
	}
	return a
}

// patiently repeats a call that a signal has interrupted.
func patiently(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func sleepOnTimer(d time.Duration, _ []string) error {
	left := unix.NsecToTimespec(d.Nanoseconds())
	return patiently(func() error { return unix.Nanosleep(&left, &left) })
}

func sleepOnFutex(d time.Duration, _ []string) error {
	var word uint32
	const waitPrivate = 0 | 128 // FUTEX_WAIT | FUTEX_PRIVATE_FLAG, include/uapi/linux/futex.h
	timeout := unix.NsecToTimespec(d.Nanoseconds())
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), waitPrivate, 0, uintptr(unsafe.Pointer(&timeout)), 0, 0)
	if errno != unix.ETIMEDOUT {
		return errno
	}
	return nil
}

func waitForLock(_ time.Duration, args []string) error {
	fd, err := unix.Open(args[0], unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	return patiently(func() error { return unix.Flock(fd, unix.LOCK_EX) })
}

func waitForPipe(time.Duration, []string) error {
	return patiently(func() error {
		_, err := unix.Read(0, make([]byte, 1))
		return err
	})
}

// waitForProcess waits for one that has a session of its own. Argument: a program.
func waitForProcess(d time.Duration, args []string) error {
	child := []string{"child", "wait", "timer", strconv.FormatInt(d.Milliseconds(), 10), "-"}
	pid, err := syscall.ForkExec(args[0], child, &syscall.ProcAttr{})
	if err != nil {
		return err
	}
	return patiently(func() error {
		_, err := unix.Wait4(pid, nil, 0, nil)
		return err
	})
}

// inVain lets a call that waits for the network give up.
func inVain(kind int, d time.Duration, call func(fd int) error) error {
	fd, err := unix.Socket(unix.AF_INET, kind, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	timeout := unix.NsecToTimeval(d.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return err
	}
	if err := patiently(func() error { return call(fd) }); !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("what must time out did not: %w", err)
	}
	return nil
}

func waitForConnection(d time.Duration, _ []string) error {
	return inVain(unix.SOCK_STREAM, d, func(fd int) error {
		if err := unix.Listen(fd, 1); err != nil {
			return err
		}
		_, _, err := unix.Accept(fd)
		return err
	})
}

func waitForDatagram(d time.Duration, _ []string) error {
	return inVain(unix.SOCK_DGRAM, d, func(fd int) error {
		_, _, err := unix.Recvfrom(fd, make([]byte, 1), 0)
		return err
	})
}

func burn(d time.Duration, _ []string) error {
	for end := readClock(unix.CLOCK_MONOTONIC) + d.Nanoseconds(); readClock(unix.CLOCK_MONOTONIC) < end; {
		for i := range 1000 {
			_ = i
		}
	}
	return nil
}

func toFirstCPU() error {
	var all, first unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for cpu := 0; first.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			first.Set(cpu)
		}
	}
	return unix.SchedSetaffinity(0, &first)
}

func burnOnFirstCPU(d time.Duration, _ []string) error {
	if err := toFirstCPU(); err != nil {
		return err
	}
	return burn(d, nil)
}

// compete burns the CPU that the others are to want, for ever.
func compete([]string) error {
	runtime.LockOSThread()
	if err := toFirstCPU(); err != nil {
		return err
	}
	fmt.Println("ready")
	return spin(nil)
}

// writeToDisk writes past the page cache, where there is a disk behind it.
func writeToDisk(_ time.Duration, args []string) error {
	file := filepath.Join(args[0], "block")
	fd, err := unix.Open(file, unix.O_CREAT|unix.O_RDWR|unix.O_DIRECT|unix.O_DSYNC, 0o600)
	if errors.Is(err, unix.EINVAL) { // files in memory, before Linux 6.6
		fd, err = unix.Open(file, unix.O_CREAT|unix.O_RDWR, 0o600)
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	block, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	copy(block, strings.Repeat("x", len(block)))
	for i := range int64(16) {
		if _, err := unix.Pwrite(fd, block, i<<20); err != nil {
			return err
		}
	}
	return unix.Fsync(fd)
}
