// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"os"
	"slices"
	"strings"
)

// sameEverywhere are the tests that say nothing about a kernel in the middle, nor about
// cgroup v1 on a kernel that runs them with v2: what they hold is our own arithmetic and
// bookkeeping, or a facility whose interface the kernel promises (the ring buffer). The
// oldest and the newest kernel run them. Tests that read structures of the kernel, or
// depend on when and where it calls tracepoints, run on each.
var sameEverywhere = []string{
	"TestAFullRingIsCounted",
	"TestBadNamesOfRuntimes",
	"TestLadderOfFilters",          // of use on 5.8 and 5.9 alone
	"TestLadderOfFiltersRunsThere", // the same
	"TestLadderOfFullPerfBuffers",
	"TestMembersAreTheForkersChildren",
	"TestNothingIsCountedUnlessArmedAndRemembered",
	"TestSessionsAreListedUntilForgotten",
	"TestTwoAreListenedToAtATime",
	"TestWhatIsUnderWayAtTheEndIsTold",
}

// quotas are tests of the same kind that are held against a quota's files, which are
// others on cgroup v1: it runs them as well.
var quotas = []string{
	"TestParkedMoreThanTheTime",
	"TestPeriodsOfAGroupAtRest",
}

// heavy are the tests that bring bad weather over a machine, or watch it for long:
// they hold the bounds of our own tables and take minutes on an emulated processor.
// They run on this machine's kernel, and everywhere with KG_KERNELS_ALL=1.
var heavy = []string{
	"TestABudgetIsKept",
	"TestAnEntrypointEndsAfterManyOthers",
	"TestForkBombBesideBirths",
	"TestForkBombInABirth",
	"TestFullTableOfSessions",
	"TestFullTableOfThreads",
	"TestKilledAtAnyMoment",
	"TestListeningBeginsInABirth",
	"TestNobodyReadsTheRing",
	"TestThousandsOfCgroups",
	"TestWalkWhileCgroupsComeAndGo",
}

// sources are the tests that read files of this repository, which no machine has.
var sources = []string{"TestBounds", "TestBoundsAgainstTheKernel"}

// twoCPUs are the tests that take one of them away.
var twoCPUs = []string{"TestACPUComesAndGoes"}

// hypervised are the tests of what only a hypervisor does: the machine that has one runs
// them and no other.
var hypervised = []string{"TestStolenByHypervisor", "TestStolenTime", "TestThrottledWhileTimeIsStolen"}

// tests are those that the machine runs, and the pattern of those that it skips.
func (m machine) tests(all []string) (run []string, skip string) {
	if m.onXen() {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool {
			return !slices.Contains(hypervised, name) || len(only()) > 0 && !slices.Contains(only(), name)
		}), ""
	}
	without := append(slices.Clone(sources), hypervised...)
	if os.Getenv("KG_KERNELS_ALL") != "1" {
		without = append(without, heavy...)
		if !m.whole {
			without = append(without, sameEverywhere...)
		}
		if !m.whole && !m.v1 {
			without = append(without, quotas...)
		}
	}
	if m.cpus < 2 {
		without = append(without, twoCPUs...)
	}
	run = slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		return slices.Contains(without, name) || len(only()) > 0 && !slices.Contains(only(), name)
	})
	return run, pattern(without)
}

// runsAny is false where it would start for nothing.
func (m machine) runsAny(all []string) bool {
	run, _ := m.tests(all)
	return len(run) > 0
}

// only are the tests that are asked for by name (KG_KERNELS_TESTS), none: all.
func only() []string {
	return strings.FieldsFunc(os.Getenv("KG_KERNELS_TESTS"), func(r rune) bool { return r == ',' })
}

// pattern is what go test -run takes for these tests.
func pattern(names []string) string { return "^(" + strings.Join(names, "|") + ")$" }
