// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"runtime"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func init() {
	bursty["answers"] = func() []part { return []part{answering(250 * time.Millisecond), answering(250 * time.Millisecond)} }
	bursty["answers all the time"] = func() []part { return []part{answering(20 * time.Millisecond), answering(20 * time.Millisecond)} }
	bursty["mines"] = func() []part { return slices.Repeat([]part{spinning}, 2*runtime.NumCPU()) }
}

// answering computes for 20 ms of CPU time at a time, with pauses of so long.
func answering(pause time.Duration) part {
	const answer = 20 * time.Millisecond
	return func(ready func(), run <-chan struct{}, d time.Duration) (int, int32, error) {
		if err := undisturbed(); err != nil {
			return 0, -1, err
		}
		ready()
		<-run
		n := 0
		for more := until(d); more(); n++ {
			for end := readClock(unix.CLOCK_THREAD_CPUTIME_ID) + answer.Nanoseconds(); readClock(unix.CLOCK_THREAD_CPUTIME_ID) < end; {
				for i := range 1000 {
					_ = i
				}
			}
			nap(pause)
		}
		return n, unix.SYS_NANOSLEEP, nil
	}
}

// undisturbed keeps from this thread the signal by which Go's scheduler would have it pause:
// it takes a nap for a goroutine that does not let others run, and ends it a hundred times a
// second. Beside so many wakes for nothing answers are about one activation in a hundred.
func undisturbed() error {
	var urgent unix.Sigset_t
	const signal, word = uint(unix.SIGURG - 1), 8 * uint(unsafe.Sizeof(urgent.Val[0]))
	urgent.Val[signal/word] = 1 << (signal % word)
	return unix.PthreadSigmask(unix.SIG_BLOCK, &urgent, nil)
}

// nap sleeps past Go's scheduler: its own watching of a thread in a system call wakes up
// a hundred times for each, beside which answers would be less than one in a hundred.
func nap(d time.Duration) {
	left := unix.NsecToTimespec(d.Nanoseconds())
	for {
		at := uintptr(unsafe.Pointer(&left))
		if _, _, errno := unix.RawSyscall(unix.SYS_NANOSLEEP, at, at, 0); errno != unix.EINTR {
			return
		}
	}
}

// heavier is how many times as much as those of pods the cgroups of the scenes weigh for
// the requests that they stand for, so that nobody else on the machine is the neighbor.
const heavier = 100

// weightOf a request, in the unit of weigh: of a pod, 1000m are a weight of 100.
func weightOf(millicores int) int { return millicores * heavier / 10 }

// waits says how its threads have waited in a recording.
func waits(r event.Recording) string {
	const long = uint64(20 * time.Millisecond)
	var ran, queued uint64
	n, waited := 0, 0
	for _, b := range r.Bursts {
		ran, queued = ran+b.CPU, queued+b.Queued
		if b.Waker != event.WakerNone {
			n++
		}
		if b.Queued >= long {
			waited++
		}
	}
	return fmt.Sprintf("%d activations, %d bursts of which waited for %d ms or longer; all ran for %d ms and waited for %d ms",
		n, waited, long/1e6, ran/1e6, queued/1e6)
}

// named are neighbors: pods of namespace shop, and whoever else there is.
func named(pods map[uint64]string) cpu.Neighbor {
	return func(id uint64) v1alpha1.Preemptor {
		if pod := pods[id]; pod != "" {
			return v1alpha1.Preemptor{Namespace: "shop", Pod: pod}
		}
		return v1alpha1.Preemptor{Cgroup: fmt.Sprintf("cgroup %d", id)}
	}
}
