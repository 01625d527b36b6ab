// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"maps"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
)

// Linux 5.8 and 5.9 run programs for user space as filters of packets only. What these read
// is held against the same accounts as what raw tracepoints read: cgroups and their counters,
// the bursts of threads that are switched, and the pieces of one that never is.
func TestLadderOfFilters(t *testing.T) {
	plan := onRungs(t, probe.Options{Without: without(t, "test_run/bandwidth")}).probe.Plan()
	for h, want := range map[hooks.Hook]hooks.Way{hooks.Bandwidth: hooks.Filter, hooks.Bursts: hooks.Typed} {
		if way := plan.Way(h); way != want {
			t.Errorf("%s: %s, want %s", h, way, want)
		}
		if lost := plan.Loses(h); len(lost) != 0 {
			t.Errorf("%s: loses %q", h, lost)
		}
	}
	earsBy(t, plan.Way(hooks.Bandwidth))
	tests := map[string]func(*testing.T){
		"counters": TestBandwidthAgainstCPUStat,
		"many":     TestManyCgroupsAreReadTogether,
		"bursts":   TestBurstsAgainstTheThreadsAccount,
		"pieces":   TestAThreadThatNeverBlocksIsToldInPieces,
	}
	if slack == 1 {
		maps.Copy(tests, map[string]func(*testing.T){
			"cgroups":             TestACgroupThatIsGoneIsNotRead,
			"places":              TestLadderLocates,
			"a walk":              TestWalkAgainstTheFileSystem,
			"parked":              TestParkedAgainstCPUStat,
			"below, and removed":  TestACgroupBelowAndOneThatIsRemoved,
			"two at a time":       TestTwoAreListenedToAtATime,
			"under way at an end": TestWhatIsUnderWayAtTheEndIsTold,
		})
	}
	for name, test := range tests {
		t.Run(name, test)
	}
}

// earsBy lets the tests of t listen to bursts with a listener of its own.
func earsBy(t *testing.T, way hooks.Way) {
	t.Helper()
	if err := closeEars(); err != nil {
		t.Fatal(err)
	}
	best := earsOptions
	earsOptions = bursts.Options{Run: way}
	t.Cleanup(func() {
		earsOptions = best
		if err := closeEars(); err != nil {
			t.Error(err)
		}
	})
}
