// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// BenchmarkCostOfArming measures how long the programs of births take to attach, when a
// pod appears after none has for a while, and to detach: medians.
func BenchmarkCostOfArming(b *testing.B) {
	if os.Getenv("KG_TEST_STAGE") != "bpf" {
		b.Skip("run by make bench-bpf: needs root and BPF")
	}
	p, err := probe.Load(withTypes(probe.Options{}))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	const times = 40
	var arm, disarm []float64
	for range times {
		arm = append(arm, float64(clock(func() { _, err = p.Arm() })))
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // the kernel ends what it began
		disarm = append(disarm, float64(clock(func() { err = p.Disarm() })))
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.ReportMetric(median(arm)/1e3, "µs-to-arm")
	b.ReportMetric(median(disarm)/1e3, "µs-to-disarm")
	b.ReportMetric(0, "ns/op") // says nothing here
}
