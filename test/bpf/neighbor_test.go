// SPDX-License-Identifier: Apache-2.0

//go:build !bare

package bpf

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
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

// neighborly is a scene of a victim, and of a neighbor without a limit that computes on
// more threads than there are CPUs. All in millicores.
type neighborly struct {
	act            string
	request, limit int
	neighbor       int // its request
	reason         v1alpha1.Reason
	cause          v1alpha1.Cause
	says           string // of the recommendation
}

var neighborlies = map[string]neighborly{
	"its neighbor": {
		act: "answers", request: 250, limit: 1500, neighbor: 1000,
		reason: v1alpha1.ReasonCPUContention, cause: v1alpha1.CauseNoisyNeighbour, says: "less than its request of 250m, and waited: most, as far as is known, for pod shop/miner",
	},
	"its limit, beside the same neighbor": {
		act: "answers all the time", request: 1000, limit: 200, neighbor: 10,
		reason: v1alpha1.ReasonCPUThrottling, cause: v1alpha1.CauseLimitTooLow, says: "limit of 200m",
	},
}

// TestNoisyNeighbour: whoever waits for a CPU that another pod has is told so, and which
// pod; who waits for a limit of its own beside the same neighbor, which weighs little, is
// not. An emulated CPU is its own neighbor: this runs on the machine only.
func TestNoisyNeighbour(t *testing.T) {
	l, k := ears(t), listen(t)
	for name, c := range neighborlies {
		t.Run(name, func(t *testing.T) {
			victim, path := makeCgroup(t, "victim")
			miner, _ := makeCgroup(t, "miner")
			weigh(t, victim, weightOf(c.request))
			weigh(t, miner, weightOf(c.neighbor))
			limit(t, victim, c.limit*100)
			act(t, "mines", miner, time.Hour, "free").begin(t)
			act(t, c.act, victim, time.Hour, "free").begin(t)
			config := watchConfig()
			config.Neighbor = named(map[uint64]string{inode(t, victim): "victim", inode(t, miner): "miner"})
			config.Request = func(_ cpu.Container, g event.Group) int64 { return cpu.RequestOfShares(g.Shares / heavier) }
			group := mustLocate(t, k, path)
			insistent(t, func() (uint64, string) {
				told, r := leanedIn(t, l, cpu.NewWatch(config), victim, group)
				if len(told) != 1 {
					return r.Lost, fmt.Sprintf("%d whispers of %s", len(told), waits(r))
				}
				return r.Lost, c.differs(t, told[0])
			})
		})
	}
}

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

// differs says what is told otherwise than the scene is.
func (c neighborly) differs(t *testing.T, w *v1alpha1.KernelWhisper) string {
	t.Helper()
	s, b := verdict.Whisper(w, nil, time.Now()), w.Spec.Bursts
	t.Logf("%s: %s, then %q: %s\n%s", s.Severity, s.Cause, s.SecondCause, s.Insight, s.Recommendation)
	t.Logf("%d activations, %d from outside", b.Activations, b.OutsideActivations)
	switch {
	case w.Spec.Reason != c.reason:
		return fmt.Sprintf("reason %s, want %s", w.Spec.Reason, c.reason)
	case s.Cause != c.cause || c.cause != v1alpha1.CauseNoisyNeighbour && s.SecondCause == v1alpha1.CauseNoisyNeighbour:
		return fmt.Sprintf("causes %s and %q, want %s: %+v", s.Cause, s.SecondCause, c.cause, *b)
	case !strings.Contains(s.Recommendation, c.says):
		return fmt.Sprintf("%q does not say %q", s.Recommendation, c.says)
	case b.RequestMillicores != int64(c.request):
		return fmt.Sprintf("a request of %dm, want %dm", b.RequestMillicores, c.request)
	}
	known := int64(0)
	for _, p := range b.Preemptors {
		known += p.WaitMicroseconds
	}
	if known > b.QueuedMicroseconds || c.cause == v1alpha1.CauseNoisyNeighbour && b.Preemptors[0].WaitMicroseconds < known/2 {
		return fmt.Sprintf("of a wait of %d µs, %d of them known, want the most for the neighbor: %+v", b.QueuedMicroseconds, known, b.Preemptors)
	}
	return ""
}
