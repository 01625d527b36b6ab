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
// on both; the figure is the median of the pairs.
func BenchmarkCost(b *testing.B) {
	if os.Getenv("KG_TEST_STAGE") != "bpf" {
		b.Skip("run by make bench: needs root and BPF")
	}
	const pairs = 15
	for name, work := range map[string]func(){
		"syscalls": manySyscalls,
		"forks":    manyProcesses,
		"switches": manySwitches,
	} {
		for _, state := range []string{"rest", "births"} {
			b.Run(name+"/"+state, func(b *testing.B) {
				var ratios, absolute []float64
				for range pairs {
					without := clock(work)
					with := clock(func() { listening(b, state == "births", work) })
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

// elapsed is the time that the work took within the last call of listening.
var elapsed time.Duration

func clock(work func()) time.Duration {
	elapsed = 0
	start := time.Now()
	work()
	if elapsed != 0 {
		return elapsed
	}
	return time.Since(start)
}

// listening does the work while the programs are attached, and notes how long
// the work alone took.
func listening(b *testing.B, armed bool, work func()) {
	p, err := probe.Load(probe.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if armed {
		if _, err := p.Arm(); err != nil {
			b.Fatal(err)
		}
	}
	start := time.Now()
	work()
	elapsed = time.Since(start)
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
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
