// SPDX-License-Identifier: Apache-2.0

package attribution

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	volume = "/var/lib/kubelet/pods/" + uid + "/volumes/kubernetes.io~projected/token"
	tasks  = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/"
)

func mount(path string) event.Event { return event.Event{Kind: event.Mount, Path: path, Time: 1} }

func TestMountsOfDaemonsAreTheirTargets(t *testing.T) {
	s := newStory()
	s.hear(mount(volume), mount("/mnt/disk"), mount(tasks+id+"/rootfs"))
	if len(s.attributed) != 1 || s.attributed[0].Who.PodUID != uid {
		t.Fatalf("%+v", s.attributed)
	}
	if st := s.Stats(); st.Attributed != 1 || st.Daemons != 1 || st.Waiting != 1 {
		t.Errorf("stats: %+v", st)
	}
	// The container's root waits for whoever makes the container.
	s.hear(mkdir(podGroup, podPath), mkdir(11, podPath+"/"+id))
	root := s.attributed[len(s.attributed)-1]
	if root.Kind != event.Mount || root.Who.PodUID != uid || root.Who.ContainerID != id {
		t.Errorf("%+v", root)
	}
	// One that is known need not wait.
	s.hear(mount("/run/containerd/io.containerd.grpc.v1.cri/sandboxes/" + id + "/shm"))
	if last := s.attributed[len(s.attributed)-1]; last.Who.ContainerID != id || s.Stats().Waiting != 0 {
		t.Errorf("%+v, %+v", last, s.Stats())
	}
}

// A shim serves all containers of its pod; its mounts say for which.
func TestMountsOfAShimAreTheContainers(t *testing.T) {
	s := newStory()
	app := "cd" + id[2:]
	e := mount(tasks + app + "/rootfs")
	e.Session = 1
	s.hear(mkdir(podGroup, podPath), mkdir(11, podPath+"/"+id), open(1, event.RoleShim, "containerd-shim-runc-v2", "-id", id), e)
	last := s.attributed[len(s.attributed)-1]
	if last.Kind != event.Mount || last.Who.ContainerID != app || last.Who.Sandbox || last.Who.PodUID != uid {
		t.Errorf("%+v", last)
	}
}

func TestMountsThatNobodyNamesAreTheDaemons(t *testing.T) {
	s := newStory()
	s.hear(mount(tasks+id+"/rootfs"), event.Event{Kind: event.NetnsBind, File: "/run/netns/mine", Time: 1})
	mark := s.Mark()
	s.Sweep(uint64(6 * time.Minute))
	if st := s.Stats(); st.Waiting != 0 || st.Daemons != 2 {
		t.Errorf("stats: %+v", st)
	}
	if w := s.Since(mark); w.Unresolved != 0 {
		t.Errorf("window: %+v", w)
	}
}

// A window holds what was heard in it, and of that what has no name yet or never
// got one; what waited before is not in it.
func TestWindow(t *testing.T) {
	s := newStory()
	s.hear(open(1, event.RoleRuntime, "runc", "create", id), exec(1), mkdir(podGroup, podPath))
	mark := s.Mark() // before the pod's cgroup
	s.hear(exec(1), exec(1), mount("/mnt/disk"), open(2, event.RoleRuntime, "runc", "exec", id))
	if w := s.Since(mark); w != (Window{Heard: 5, Daemons: 1, Unresolved: 2}) {
		t.Errorf("%+v", w)
	}
	s.hear(mkdir(11, podPath+"/"+id))
	if w := s.Since(mark); w != (Window{Heard: 6, Daemons: 1}) {
		t.Errorf("once the container is known: %+v", w)
	}
	late := s.Mark()
	s.hear(open(3, event.RoleRuntime, "runc", "create", strings.Repeat("ef", 32)), exec(3))
	s.Sweep(uint64(3 * time.Minute))
	if w := s.Since(late); w.Unresolved != 2 || s.Stats().Dropped[event.RoleRuntime] != 2 {
		t.Errorf("given up: %+v, %+v", w, s.Stats())
	}
}

// Whatever comes in whatever order, each event is in exactly one place.
func TestEveryEventIsCountedOnce(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
		s := newStory()
		var heard uint64
		for i := range uint64(300) {
			e := anyEvent(random)
			e.Time = i * uint64(time.Second)
			before := s.heard
			s.hear(e)
			if s.heard > before+1 {
				t.Fatalf("seed %d: %s counted %d times", seed, e.Kind, s.heard-before)
			}
			heard += s.heard - before
			if random.IntN(20) == 0 {
				s.Sweep(e.Time)
			}
		}
		if st := s.Stats(); st.Total() != heard {
			t.Fatalf("seed %d: %d events heard, %+v", seed, heard, st)
		}
		if w := s.Since(Mark{}); w.Heard != heard || w.Unresolved+w.Daemons > heard {
			t.Fatalf("seed %d: %+v of %d", seed, w, heard)
		}
	}
}

func anyEvent(random *rand.Rand) event.Event {
	ids := []string{id, "cd" + id[2:], "ef" + id[2:]}
	one, session := ids[random.IntN(len(ids))], uint64(random.IntN(4)+1)
	switch random.IntN(8) {
	case 0:
		return mkdir(10+session, podPath+"/"+one)
	case 1:
		return mkdir(podGroup, podPath)
	case 2:
		return open(session, event.RoleRuntime, "runc", []string{"create", "exec", "start"}[random.IntN(3)], one)
	case 3:
		return open(session, event.RoleShim, "containerd-shim-runc-v2", "-id", one, "start")
	case 4:
		return mount([]string{volume, "/mnt/disk", tasks + one + "/rootfs"}[random.IntN(3)])
	case 5:
		return event.Event{Kind: event.NetnsBind, File: "/run/netns/a"}
	case 6:
		return event.Event{Kind: event.CgroupJoin, Session: session, Cgroup: 10 + session}
	}
	return exec(session)
}
