// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// BenchmarkCost measures what the loaded programs cost processes that are of no
// birth: how many times longer the same work takes with them than without. Each
// pair of measurements follows at once, so that the machine's own drift falls
// on both; the figure is the median of the pairs. "nothing" is the machine's noise:
// both sides are measured without programs.
func BenchmarkCost(b *testing.B) {
	if os.Getenv("KG_TEST_STAGE") != "bpf" {
		b.Skip("run by make bench-bpf: needs root and BPF")
	}
	const pairs = 20
	for name, work := range map[string]func(){
		"syscalls": manySyscalls,
		"forks":    manyProcesses,
		"switches": manySwitches,
	} {
		for _, state := range []string{"nothing", "rest", "births"} {
			b.Run(name+"/"+state, func(b *testing.B) {
				var ratios, absolute []float64
				for i := range pairs {
					var without, with time.Duration
					if i%2 == 0 { // neither is always the second
						without, with = clock(work), listening(b, state, work)
					} else {
						with, without = listening(b, state, work), clock(work)
					}
					ratios = append(ratios, float64(with)/float64(without))
					absolute = append(absolute, float64(without))
				}
				b.ReportMetric(median(ratios), "times-as-long")
				b.ReportMetric(median(absolute)/1e6, "ms-without")
				b.ReportMetric(0, "ns/op") // says nothing here
			})
		}
	}
}

func clock(work func()) time.Duration {
	start := time.Now()
	work()
	return time.Since(start)
}

// listening does the work while the programs are attached, and returns how long
// the work alone took.
func listening(b *testing.B, state string, work func()) time.Duration {
	if state == "nothing" {
		return clock(work)
	}
	p, err := probe.Load(withTypes(probe.Options{}))
	if err != nil {
		b.Fatal(err)
	}
	if state == "births" {
		if _, err := p.Arm(); err != nil {
			b.Fatal(err)
		}
	}
	took := clock(work)
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

func manySyscalls() {
	for range 500_000 {
		_ = unix.Getppid()
	}
}

func manyProcesses() {
	for range 100 {
		_ = exec.Command("/bin/true").Run()
	}
}

// manySwitches passes a byte to and fro between two processes.
func manySwitches() {
	var there, back [2]int
	if syscall.Pipe(there[:]) != nil || syscall.Pipe(back[:]) != nil {
		return
	}
	done := make(chan struct{})
	one := []byte{1}
	go func() {
		defer close(done)
		for range 20_000 {
			_, _ = syscall.Read(there[0], one)
			_, _ = syscall.Write(back[1], one)
		}
	}()
	two := []byte{1}
	for range 20_000 {
		_, _ = syscall.Write(there[1], two)
		_, _ = syscall.Read(back[0], two)
	}
	<-done
	for _, fd := range append(there[:], back[:]...) {
		_ = syscall.Close(fd)
	}
}
