// SPDX-License-Identifier: Apache-2.0

package bursts

import (
	"slices"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/probe/run"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/since"
)

// asked are calls in branches that the loader leaves out where the running kernel's types do
// not name the helper (bpf/waker.h, bpf/slept.h).
var asked = []string{"FnGetCurrentTaskBtf", "FnTaskPtRegs"}

// Bursts are heard where typed tracepoints and the ring buffer are: from Linux 5.8 on.
// Before 5.10 two of the programs are run as filters.
func TestBurstsAreOfTheirKernel(t *testing.T) {
	spec, err := loadBursts()
	if err != nil {
		t.Fatal(err)
	}
	promised := since.Linux58()
	for name, prog := range spec.Programs {
		if name == "find_group" || name == "burst_pulse" {
			if prog, err = (run.Way{Filter: true}).Spec(prog); err != nil {
				t.Fatal(err)
			}
			for _, use := range since.Filter(prog) {
				t.Errorf("%s is run as a filter by Linux 5.8 and uses %s at %d", name, use.What, use.At)
			}
		}
		for _, use := range promised.Program(prog) {
			if slices.Contains(asked, use.What) {
				continue
			}
			t.Errorf("%s is promised for %s and uses %s at %d", name, promised, use.What, use.At)
		}
	}
	for name, m := range spec.Maps {
		if what := promised.Map(m); what != "" {
			t.Errorf("the map %s is promised for %s and has %s", name, promised, what)
		}
	}
}
