// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Counters and recording each say of which limit they are: after a change the counters
// are of the new one at once, and the recording is not until the next.
func TestARecordingSaysAtWhichLimitItWasMade(t *testing.T) {
	c := newContainer()
	c.limit(200, 300)
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	n.run(20, c.held)
	c.limit(400, 500)
	told := n.run(60, c.held)
	at := func(w *v1alpha1.KernelWhisper) [3]int64 {
		b := w.Spec.Bursts
		if b == nil || b.LimitMillicores == nil {
			t.Fatalf("no limit of the recording: %+v", b)
		}
		return [3]int64{limitOf(w.Spec.KernelTruth), *b.LimitMillicores, b.PodLimitMillicores}
	}
	mixed := 0
	for _, w := range told {
		if at(w) == [3]int64{400, 200, 300} {
			mixed++
		}
	}
	if mixed == 0 {
		t.Error("no whisper has counters of the new limit beside the recording of the old one")
	}
	n.run(300, c.held)
	if last := n.told[len(n.told)-1]; at(last) != [3]int64{400, 400, 500} {
		t.Errorf("after a recording at the new limit: %v", at(last))
	}
}

// An observer that goes on with the whisper of an earlier run leaves the recording its limit.
func TestARecordingThatIsTakenUpKeepsItsLimit(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	n.run(20, c.held)
	left := n.told[len(n.told)-1]
	c.limit(200, 200)
	again := &node{watch: newTestWatch(), record: c.heardAt(40)}
	again.watch.Resume(left.DeepCopy())
	b := again.run(10, c.held)[0].Spec.Bursts
	if b == nil || b.LimitMillicores == nil || *b.LimitMillicores != 100 || b.PodLimitMillicores != 100 {
		t.Errorf("%+v", b)
	}
}

func TestTheLimitsOfARecording(t *testing.T) {
	own, pod := event.Group{Cgroup: 1, Quota: 20e6, Period: 100e6}, event.Group{Cgroup: 2, Quota: 50e6, Period: 100e6}
	above := event.Group{Cgroup: 3, Quota: 1e9, Period: 100e6}
	at := Sample{Levels: []Level{
		{At: v1alpha1.ThrottledAtContainer, Group: own}, {At: v1alpha1.ThrottledAtPod, Group: pod}, {At: v1alpha1.ThrottledAtAncestor, Group: above},
	}}
	unlimited := event.Group{Cgroup: 1}
	for _, tt := range []struct {
		name     string
		before   []event.Group
		own, pod int64 // -1 is not known
	}{
		{"of all levels", []event.Group{own, pod, above}, 200, 500},
		{"only above the pod", []event.Group{unlimited, above}, 0, 0},
		{"not read", nil, -1, 0},
	} {
		limit, podLimit := Heard{Recording: event.Recording{Before: tt.before}}.limits(at)
		got := int64(-1)
		if limit != nil {
			got = *limit
		}
		if got != tt.own || podLimit != tt.pod {
			t.Errorf("%s: %d and %d, want %d and %d", tt.name, got, podLimit, tt.own, tt.pod)
		}
	}
}
