// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"slices"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Of others a pod is one; of the container's own pod the other containers are told apart,
// and a cgroup below its own is its own.
func TestWhoRanMeanwhile(t *testing.T) {
	queued := func(preemptor, ms uint64) event.Burst {
		b := burst(1, 0, 100, event.WakerInterrupt, 0, 0, ms)
		b.Preemptor, b.PreemptorTime = preemptor, ms*1_000_000
		return b
	}
	names := map[uint64]v1alpha1.Preemptor{
		1: {Namespace: "a", Pod: "hog", Container: "x"}, 2: {Namespace: "a", Pod: "hog", Container: "y"},
		3: {Cgroup: "/system.slice"}, 4: {Namespace: "b", Pod: "x"},
		5: {Namespace: "ns", Pod: "pod", Container: "mesh"}, 6: {Namespace: "ns", Pod: "pod", Container: "app"},
		7: {Namespace: "ns", Pod: "pod"}, // the one that waits, by the id of its cgroup
		8: {Namespace: "other", Pod: "pod", Container: "app"},
	}
	r := recording(queued(1, 20), queued(2, 20), queued(3, 30), queued(4, 1), queued(5, 41), queued(6, 4), queued(7, 5), queued(8, 2))
	s := summarize(r, w1(), func(uint64) time.Time { return began }, func(id uint64) v1alpha1.Preemptor { return names[id] })
	want := []v1alpha1.Preemptor{
		{Namespace: "ns", Pod: "pod", Container: "mesh", WaitMicroseconds: 41_000},
		{Namespace: "a", Pod: "hog", WaitMicroseconds: 40_000},
		{Cgroup: "/system.slice", WaitMicroseconds: 30_000},
	}
	if got := s.bursts.Preemptors; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if f := s.figures; f.ownQueue != 9*ms || f.foreign != 114*ms {
		t.Errorf("%d ms its own threads, %d ms others", f.ownQueue/ms, f.foreign/ms)
	}
}
