// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"slices"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// together is a kernel that reads cgroups together, and notes which.
type together struct {
	silent
	asked [][]uint64
}

func (k *together) ReadGroups(of []CgroupRef, into []event.Reading) {
	var ids []uint64
	for i, ref := range of {
		ids = append(ids, ref.ID)
		into[i].Group = event.Group{Cgroup: ref.ID, Quota: 1e7, Period: 1e8, Time: uint64(len(k.asked) + 1)}
	}
	k.asked = append(k.asked, ids)
}

// Each cgroup is read once in a round, whoever lies below it, and a round has those that
// there are by then.
func TestARoundReadsWhatThereIs(t *testing.T) {
	k := &together{}
	e, _ := logged(t, k)
	e.Pod(podOfEpisode(false), 1)
	const second = "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
	pod := podOfEpisode(false)
	pod.Containers = append(pod.Containers, pod.Containers[0])
	pod.Containers[1].ID, pod.Containers[1].Name = second, "sidecar"

	e.Throttling(2)
	e.Throttling(3)
	e.Pod(pod, 4)
	e.Event(event.Event{Kind: event.CgroupMkdir, Cgroup: 9, Pointer: 9, Path: "/kubepods/pod" + silentPod + "/" + second, Time: 4}, 4)
	e.Throttling(5)
	e.Event(event.Event{Kind: event.CgroupRmdir, Cgroup: 3, Time: 6}, 6)
	e.Throttling(7)
	want := [][]uint64{{3, 2}, {3, 2}, {3, 2, 9}, {9, 2}}
	if !slices.EqualFunc(k.asked, want, slices.Equal) {
		t.Errorf("asked for %v, want %v", k.asked, want)
	}
	if refs, ok := e.refs(second); !ok || !slices.Equal(refs, []CgroupRef{{ID: 9, Pointer: 9}, {ID: 2, Pointer: 2}}) {
		t.Errorf("of the second: %v", refs)
	}
}

// Of a pod that opts out nothing is read from then on, and nothing of those above it
// for its sake.
func TestARoundWithoutThoseThatOptedOut(t *testing.T) {
	k := &together{}
	e, _ := logged(t, k)
	e.Pod(podOfEpisode(false), 1)
	e.Throttling(2)
	e.Pod(podOfEpisode(true), 3)
	e.Throttling(4)
	if n := len(k.asked); n != 2 || len(k.asked[0]) != 2 || len(k.asked[1]) != 0 {
		t.Errorf("asked for %v", k.asked)
	}
}
