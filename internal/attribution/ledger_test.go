// SPDX-License-Identifier: Apache-2.0

package attribution

import (
	"fmt"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	uid      = "0b3f5b7c-1e0f-4c57-9c6e-3d0d6b0a7a11"
	podPath  = "/kubepods/pod" + uid
	podGroup = 10
)

// story hears events one after another and keeps what was attributed.
type story struct {
	*Ledger
	attributed []Attributed
	forgotten  []uint64
}

func newStory() *story { return &story{Ledger: NewLedger(cgroup.NewDictionary())} }

func (s *story) hear(events ...event.Event) {
	for _, e := range events {
		v := s.Hear(e)
		s.attributed = append(s.attributed, v.Attributed...)
		s.forgotten = append(s.forgotten, v.Forget...)
	}
}

func open(session uint64, role event.Role, args ...string) event.Event {
	return event.Event{Kind: event.SessionOpen, Session: session, Time: session, Open: &event.Open{Role: role, Args: args}}
}

func exec(session uint64) event.Event { return event.Event{Kind: event.Exec, Session: session} }

func idOf(n int) string { return fmt.Sprintf("%064x", n) }

func mkdir(cgroup uint64, path string) event.Event {
	return event.Event{Kind: event.CgroupMkdir, Cgroup: cgroup, Path: path}
}

// In a host-network pod nothing names the sandbox before its cgroup is made:
// shim and runtime have to wait for it.
func TestSessionsWaitForTheirName(t *testing.T) {
	s := newStory()
	s.hear(
		mkdir(podGroup, podPath),
		open(1, event.RoleShim, "containerd-shim-runc-v2", "-id", id, "start"),
		open(2, event.RoleRuntime, "runc", "create", id),
		exec(2),
	)
	if n := len(s.attributed); n != 1 {
		t.Fatalf("%d events attributed before anything named them", n)
	}
	if w := s.Stats().Waiting; w != 3 {
		t.Errorf("%d events wait, want 3", w)
	}
	s.hear(mkdir(11, podPath+"/"+id))
	if n := len(s.attributed); n != 5 {
		t.Fatalf("%d events attributed, want 5", n)
	}
	for _, a := range s.attributed {
		if a.Who.PodUID != uid {
			t.Errorf("event %s is of pod %q", a.Kind, a.Who.PodUID)
		}
		if a.Who.ContainerID != "" && !a.Who.Sandbox {
			t.Errorf("event %s: the shim's id is the sandbox's", a.Kind)
		}
	}
	if st := s.Stats(); st.Waiting != 0 || st.Attributed != 5 {
		t.Errorf("stats: %+v", st)
	}
}

// A runtime whose arguments were cut is known by the cgroup that its child joins.
func TestSessionNamedByCgroup(t *testing.T) {
	s := newStory()
	s.hear(
		mkdir(podGroup, podPath), mkdir(11, podPath+"/"+id),
		open(3, event.RoleRuntime, "runc", "create"),
		event.Event{Kind: event.CgroupJoin, Session: 3, Cgroup: 11},
	)
	last := s.attributed[len(s.attributed)-1]
	if last.Kind != event.CgroupJoin || last.Who.PodUID != uid || last.Who.ContainerID != id {
		t.Errorf("%+v", last)
	}
}

// The network namespace is made by a thread of the runtime's daemon; the
// plugin that is told its path makes it the pod's.
func TestNetworkNamespaceFindsItsPod(t *testing.T) {
	s := newStory()
	cni := open(4, event.RoleCNI)
	cni.Open.CNI = &event.CNI{Command: "ADD", ContainerID: id, Netns: "/run/netns/a", Args: "K8S_POD_UID=" + uid + ";K8S_POD_NAME=web;K8S_POD_NAMESPACE=ns"}
	s.hear(
		event.Event{Kind: event.NetnsBind, File: "/run/netns/b"},
		event.Event{Kind: event.NetnsBind, File: "/run/netns/a"},
		cni,
	)
	if len(s.attributed) != 2 || s.attributed[0].File != "/run/netns/a" || s.attributed[0].Who.PodUID != uid {
		t.Errorf("%+v", s.attributed)
	}
	if n := s.Name(uid); n.Name != "web" || n.Namespace != "ns" {
		t.Errorf("name: %+v", n)
	}
}

func TestWhatIsNoBirthIsForgotten(t *testing.T) {
	s := newStory()
	del := open(9, event.RoleCNI)
	del.Open.CNI = &event.CNI{Command: "DEL", ContainerID: id}
	s.hear(
		open(5, event.RoleRuntime, "runc", "exec", id),
		open(6, event.RoleRuntime, "runc", "delete", id),
		open(7, event.RoleShim, "containerd-shim-runc-v2", "-id", id, "delete"),
		del, exec(5),
	)
	if len(s.attributed) != 0 || len(s.forgotten) != 4 {
		t.Errorf("attributed %v, forgot %v", s.attributed, s.forgotten)
	}
}

func TestTwoPodsStayApart(t *testing.T) {
	s := newStory()
	other, otherID := "1"+uid[1:], "cd"+id[2:]
	s.hear(
		open(1, event.RoleRuntime, "runc", "create", id),
		open(2, event.RoleRuntime, "runc", "create", otherID),
		exec(1), exec(2),
		mkdir(20, "/kubepods/pod"+other+"/"+otherID),
		mkdir(21, podPath+"/"+id),
	)
	for _, a := range s.attributed {
		if a.Session == 1 && a.Who.PodUID != uid || a.Session == 2 && a.Who.PodUID != other {
			t.Errorf("session %d is of pod %s", a.Session, a.Who.PodUID)
		}
	}
	if len(s.attributed) != 6 {
		t.Errorf("%d events attributed, want 6", len(s.attributed))
	}
}

func TestNamelessSessionsAreGivenUpAndCounted(t *testing.T) {
	s := newStory()
	s.hear(open(1, event.RoleRuntime, "runc", "create", id), exec(1))
	if given := s.Sweep(uint64(time.Minute)); len(given) != 0 {
		t.Errorf("given up after a minute: %v", given)
	}
	if given := s.Sweep(uint64(3 * time.Minute)); len(given) != 1 || given[0] != 1 {
		t.Errorf("given up: %v", given)
	}
	st := s.Stats()
	if st.Waiting != 0 || st.Dropped[event.RoleRuntime] != 2 || st.Total() != 2 {
		t.Errorf("stats: %+v", st)
	}
}

// What a pod is called is known for as long as it lives: one of its containers may be
// made anew, and a sandbox may have no cgroup at all.
func TestANameStaysWithItsPod(t *testing.T) {
	s := newStory()
	cni := open(4, event.RoleCNI)
	cni.Open.CNI = &event.CNI{Command: "ADD", ContainerID: idOf(9), Args: "K8S_POD_UID=" + uid + ";K8S_POD_NAME=web;K8S_POD_NAMESPACE=ns"}
	s.hear(mkdir(podGroup, podPath), cni, mkdir(11, podPath+"/"+id), mkdir(12, podPath+"/"+idOf(2)))
	s.hear(event.Event{Kind: event.CgroupRmdir, Cgroup: 11, Time: 10})
	s.Sweep(11 + rememberDead)
	if n := s.Name(uid); n.Name != "web" {
		t.Errorf("its name is %+v after a container of it was made anew", n)
	}
	later := 12 + rememberDead
	s.hear(event.Event{Kind: event.CgroupRmdir, Cgroup: 12, Time: later}, event.Event{Kind: event.CgroupRmdir, Cgroup: podGroup, Time: later})
	s.Sweep(later + 1)
	if n := s.Name(uid); n.Name != "web" {
		t.Errorf("its name is %+v just after its end", n)
	}
	s.Sweep(later + 1 + rememberDead)
	if n := s.Name(uid); n.Name != "" {
		t.Errorf("its name is kept: %+v", n)
	}
}

// A cgroup that was taken to be gone, and is found again, is not forgotten.
func TestACgroupThatIsFoundAgain(t *testing.T) {
	s := newStory()
	s.hear(mkdir(podGroup, podPath), open(1, event.RoleShim, "containerd-shim-runc-v2", "-id", id, "start"), mkdir(11, podPath+"/"+id))
	s.hear(event.Event{Kind: event.CgroupRmdir, Cgroup: 11, Time: 10})
	s.Learn(11, 0, podPath+"/"+id)
	s.Sweep(11 + rememberDead)
	if !s.IsSandbox(id) {
		t.Error("it is not known any more to be a sandbox")
	}
}

// A daemon that mounts on the same path again and again keeps nothing else waiting.
func TestMountsThatNobodyNamesAreGivenUpOneByOne(t *testing.T) {
	s := newStory()
	for i := range uint64(10) {
		s.hear(event.Event{Kind: event.NetnsBind, File: "/run/netns/mine", Time: i * rememberDead / 2})
		s.Sweep(i * rememberDead / 2)
	}
	if w := s.Stats(); w.Waiting > 3 || w.Daemons != 10-w.Waiting {
		t.Errorf("%+v", w)
	}
}
