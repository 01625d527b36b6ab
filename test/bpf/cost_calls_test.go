// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// BenchmarkCallsByWay measures what a system call (getppid) of a process of no birth takes
// in CPU time while a birth is under way, by each way to hear system calls, and while
// nobody listens. They have their turns one after the other, so that the machine's own
// drift falls on all of them; the figures are medians.
func BenchmarkCallsByWay(b *testing.B) {
	if os.Getenv("KG_TEST_STAGE") != "bpf" {
		b.Skip("run by make bench-bpf: needs root and BPF")
	}
	const rounds = 40
	mountTracefs(b)
	by := map[hooks.Way]*probe.Probe{}
	for way, names := range map[hooks.Way][]string{
		hooks.Typed:      {"tracepoint", "raw_tp/sys_exit"},
		hooks.Raw:        {"tracepoint", "tp_btf/sys_exit"},
		hooks.Tracepoint: {"tp_btf/sys_exit", "raw_tp/sys_exit"},
	} {
		p, err := probe.Load(withTypes(probe.Options{Without: without(b, names...)}))
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = p.Close() }()
		if got := p.Plan().Way(hooks.SysExit); got != way {
			b.Fatalf("system calls are heard by %s, want %s", got, way)
		}
		by[way] = p
	}
	took := map[hooks.Way][]float64{}
	for range rounds {
		for _, way := range []hooks.Way{hooks.Off, hooks.Typed, hooks.Raw, hooks.Tracepoint} {
			ns, err := aCall(by[way])
			if err != nil {
				b.Fatal(err)
			}
			took[way] = append(took[way], ns)
		}
	}
	for way, all := range took {
		b.ReportMetric(median(all), string(way)+"-ns")
	}
	b.ReportMetric(0, "ns/op") // says nothing here
}

// aCall is the CPU time of one, in ns, while the probe (nil: none) is armed.
func aCall(p *probe.Probe) (ns float64, err error) {
	const calls = 200_000
	if p != nil {
		if _, err := p.Arm(); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, p.Disarm()) }()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := ownTime()
	for range calls {
		_ = unix.Getppid()
	}
	return float64(ownTime()-before) / calls, nil
}

// ownTime is the CPU time that this thread has had.
func ownTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
