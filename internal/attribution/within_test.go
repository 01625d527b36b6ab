// SPDX-License-Identifier: Apache-2.0

package attribution

import (
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	otherUID  = "1b3f5b7c-1e0f-4c57-9c6e-3d0d6b0a7a11"
	otherPod  = "/kubepods/pod" + otherUID
	innerUID  = "2b3f5b7c-1e0f-4c57-9c6e-3d0d6b0a7a11"
	inOther   = 30 // the cgroup of a container of the other pod
	belowThat = 31 // one that its processes made
)

var (
	otherID  = strings.Repeat("cd", 32)
	otherOwn = otherPod + "/" + otherID
)

// neighbors knows a pod that is being born, and another one with a container.
func neighbors() *story {
	s := newStory()
	s.hear(mkdir(podGroup, podPath), mkdir(20, otherPod), mkdir(inOther, otherOwn), mkdir(belowThat, otherOwn+"/init.scope"))
	s.attributed = nil
	return s
}

func in(cgroup uint64, e event.Event) event.Event {
	e.Cgroup = cgroup
	return e
}

func plugin(session uint64, container, uid string) event.Event {
	e := open(session, event.RoleCNI)
	e.Open.CNI = &event.CNI{Command: "ADD", ContainerID: container, Args: "K8S_POD_UID=" + uid + ";K8S_POD_NAME=web;K8S_POD_NAMESPACE=ns"}
	return e
}

// A privileged container executes what it likes, with any arguments and environment.
func TestAContainerSpeaksForNoBirth(t *testing.T) {
	for name, lie := range map[string]event.Event{
		"a runtime":           open(1, event.RoleRuntime, "runc", "create", id),
		"its own runtime":     open(1, event.RoleRuntime, "runc", "create", strings.Repeat("ef", 32)),
		"a shim":              open(1, event.RoleShim, "containerd-shim-runc-v2", "-id", id, "start"),
		"a monitor":           open(1, event.RoleMonitor, "conmon", "-c", id),
		"a plugin":            plugin(1, id, uid),
		"a plugin of its own": plugin(1, otherID, otherUID+"x"),
	} {
		for _, cgroup := range []uint64{inOther, belowThat} {
			s := neighbors()
			s.hear(in(cgroup, lie), exec(1), event.Event{Kind: event.CgroupJoin, Session: 1, Cgroup: inOther}, mkdir(11, podPath+"/"+id))
			if len(s.attributed) != 1 || s.attributed[0].Kind != event.CgroupMkdir || len(s.forgotten) != 1 || s.Name(uid).Name != "" {
				t.Errorf("%s in %d is believed: %+v, forgot %v", name, cgroup, s.attributed, s.forgotten)
			}
			if st := s.Stats(); st.Waiting != 0 {
				t.Errorf("%s: %d events wait for a name", name, st.Waiting)
			}
		}
	}
}

// The monitor of CRI-O lives in the pod's cgroup, and is in no container of it.
func TestAMonitorInThePod(t *testing.T) {
	s := neighbors()
	s.hear(mkdir(12, podPath+"/crio-conmon-"+id+".scope"), in(12, open(1, event.RoleMonitor, "conmon", "-c", id)), mkdir(11, podPath+"/"+id))
	if len(s.attributed) != 2 || s.attributed[1].Who.Role != event.RoleMonitor && s.attributed[0].Who.Role != event.RoleMonitor {
		t.Errorf("%+v", s.attributed)
	}
}

// A daemon of a CNI plugin that lives in a pod executes others for a sandbox that a
// plugin of the node has named.
func TestAPluginThatADaemonExecutes(t *testing.T) {
	s := neighbors()
	s.hear(plugin(1, id, uid), in(inOther, plugin(2, id, uid)), in(inOther, plugin(3, id, otherUID)), in(inOther, plugin(4, otherID, uid)))
	if len(s.attributed) != 2 || s.attributed[0].Session != 1 || s.attributed[1].Session != 2 || s.attributed[1].Who.PodUID != uid {
		t.Errorf("attributed %+v", s.attributed)
	}
	if len(s.forgotten) != 2 {
		t.Errorf("forgot %v, want those who contradict it", s.forgotten)
	}
}

// A node that is a container of a pod makes pods below it, and speaks for these only.
func TestANodeInAContainer(t *testing.T) {
	s := neighbors()
	inner := otherOwn + "/kubelet/kubepods/pod" + innerUID
	innerID := strings.Repeat("ef", 32)
	s.hear(
		mkdir(40, inner),
		in(belowThat, open(1, event.RoleShim, "containerd-shim-runc-v2", "-id", innerID, "start")),
		in(belowThat, open(2, event.RoleRuntime, "runc", "create", innerID)),
		in(belowThat, plugin(3, innerID, innerUID)),
		mkdir(41, inner+"/"+innerID),
		in(belowThat, open(4, event.RoleRuntime, "runc", "create", id)),
		in(belowThat, plugin(5, id, uid)),
		mkdir(11, podPath+"/"+id), exec(4),
	)
	heard := map[uint64]string{}
	for _, a := range s.attributed {
		if a.Session != 0 {
			heard[a.Session] = a.Who.PodUID
		}
	}
	if len(heard) != 3 || s.Name(uid).Name != "" || heard[1] != innerUID || heard[2] != innerUID || heard[3] != innerUID {
		t.Errorf("attributed %v", heard)
	}
}
