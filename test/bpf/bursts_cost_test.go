// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
)

// BenchmarkLeanIn measures what listening to bursts costs work that is bound by
// switches: as BenchmarkCost does, in pairs with and without. "another" listens to a
// cgroup that rests, "itself" to the one that the work is done in; "nothing" is the
// machine's noise.
func BenchmarkLeanIn(b *testing.B) {
	if os.Getenv("KG_TEST_STAGE") != "bpf" {
		b.Skip("run by make bench-bpf: needs root and BPF")
	}
	l, err := bursts.Load(bursts.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	root := benchHierarchy(b)
	another, itself := filepath.Join(root, "kernel-gossip-bench-another"), filepath.Join(root, "kernel-gossip-bench-itself")
	for _, dir := range []string{another, itself} {
		if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
			b.Fatal(err)
		}
		defer func() { _ = os.Remove(dir) }()
	}
	self := []byte(strconv.Itoa(os.Getpid()))
	if err := os.WriteFile(filepath.Join(itself, "cgroup.procs"), self, 0); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = os.WriteFile(filepath.Join(root, "cgroup.procs"), self, 0) }()
	const pairs = 20
	for _, state := range []struct{ name, dir string }{{"nothing", ""}, {"another", another}, {"itself", itself}} {
		b.Run("switches/"+state.name, func(b *testing.B) {
			var ratios, absolute []float64
			for i := range pairs {
				var without, with time.Duration
				if i%2 == 0 { // neither is always the second
					without, with = clock(manySwitches), leaningIn(b, l, state.dir)
				} else {
					with, without = leaningIn(b, l, state.dir), clock(manySwitches)
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

func leaningIn(b *testing.B, l *bursts.Listener, dir string) time.Duration {
	b.Helper()
	if dir == "" {
		return clock(manySwitches)
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		b.Fatal(err)
	}
	id := st.Ino
	if err := l.Start(id); err != nil {
		b.Fatal(err)
	}
	took := clock(manySwitches)
	r, err := l.Stop(id)
	if err != nil {
		b.Fatal(err)
	}
	if r.Lost > 0 {
		b.Logf("%d bursts, %d lost", len(r.Bursts), r.Lost)
	}
	return took
}

// benchHierarchy is the root of the cpu controller's hierarchy.
func benchHierarchy(b *testing.B) string {
	b.Helper()
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = mounts.Close() }()
	h, err := cgroup.FindHierarchy(mounts, func(root string) string {
		raw, _ := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
		return string(raw)
	})
	if err != nil {
		b.Fatal(err)
	}
	if h.V2 {
		if err := os.WriteFile(filepath.Join(h.Root, "cgroup.subtree_control"), []byte("+cpu"), 0); err != nil {
			b.Fatal(err)
		}
	}
	return h.Root
}
