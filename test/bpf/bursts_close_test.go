// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
)

// mapped is how many mappings of BPF maps this process has.
func mapped(t *testing.T) int {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(raw), "anon_inode:bpf-map")
}

// The ring of bursts is mapped while somebody listens, and not before or after.
func TestTheRingOfBurstsIsMappedMeanwhile(t *testing.T) {
	l := ears(t)
	before := mapped(t)
	dir, _ := makeCgroup(t, "mapped")
	for range 2 {
		eavesdrop(t, l, dir)
		if n := mapped(t); n <= before {
			t.Errorf("%d mappings while somebody listens, %d before", n, before)
		}
		stopListening(t, l, dir)
		if n := mapped(t); n != before {
			t.Errorf("%d mappings afterwards, %d before", n, before)
		}
	}
}

// Who stops listening after the end is refused.
func TestStopAfterTheEnd(t *testing.T) {
	needKernel(t)
	l, err := bursts.Load(bursts.Options{}) // not that of the other tests
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := makeCgroup(t, "ended")
	eavesdrop(t, l, dir)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Stop(inode(t, dir)); err == nil {
		t.Error("a recording after the end")
	}
}
