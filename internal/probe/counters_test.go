// SPDX-License-Identifier: Apache-2.0

package probe

import "testing"

// A run is not preempted: where there are many CPUs to sum over it reads fewer cgroups.
func TestBatch(t *testing.T) {
	for cpus, want := range map[uint32]int{1: 64, 2: 64, 8: 64, 16: 43, 64: 14, 256: 3, 1024: 1, 8192: 1} {
		if got := batchOf(cpus, 64); got != want {
			t.Errorf("%d CPUs: %d cgroups, want %d", cpus, got, want)
		}
	}
}
