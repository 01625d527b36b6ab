// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// A whole container, from the runtime to the first accept, in its order.
func TestContainer(t *testing.T) {
	k := listen(t)
	k.arm()
	dir, path := makeCgroup(t, "container")
	cmd := start(t, program(t, runtimeName), "container", "container-mark", dir)
	open := k.opened("container-mark")
	of := func(what string, kind event.Kind, workload bool) event.Event {
		t.Helper()
		return k.find(what, func(e event.Event) bool {
			return e.Kind == kind && e.Session == open.Session && e.Workload == workload
		})
	}
	made, joined := k.made(path), of("the join", event.CgroupJoin, false)
	namespaces := of("the namespaces", event.Namespaces, false)
	failed := of("the exec that fails", event.ExecFailed, false)
	entry := of("the entrypoint", event.Exec, true)
	listening, accepted := of("the listening socket", event.Listen, true), of("the accept", event.Accept, true)
	exit := k.exited(open)

	order := []event.Event{made, open, joined, namespaces, failed, entry, listening, accepted, exit}
	for i := 1; i < len(order); i++ {
		if order[i-1].Time >= order[i].Time {
			t.Errorf("%s is not before %s", order[i-1].Kind, order[i].Kind)
		}
	}
	if made.Cgroup != inode(t, dir) || joined.Cgroup != made.Cgroup || joined.PID != uint32(cmd.Process.Pid) {
		t.Errorf("made %+v, joined %+v, the folder's inode is %d", made, joined, inode(t, dir))
	}
	if namespaces.Value != unix.CLONE_NEWNS|unix.CLONE_NEWUTS|unix.CLONE_NEWNET {
		t.Errorf("namespaces: %#x", namespaces.Value)
	}
	if unix.Errno(failed.Value) != unix.ENOENT {
		t.Errorf("errno %d", failed.Value)
	}
	if entry.MountNS == open.MountNS || entry.File != "/proc/self/exe" {
		t.Errorf("entrypoint: %+v", entry)
	}
	if listening.Value != 4711 {
		t.Errorf("port %d", listening.Value)
	}
	checkContainerCounts(t, k.counts(open.Session))
	removeCgroup(t, dir)
	k.find("the cgroup's removal", func(e event.Event) bool {
		return e.Kind == event.CgroupRmdir && e.Cgroup == made.Cgroup
	})
}

func checkContainerCounts(t *testing.T, c event.SessionCounts) {
	t.Helper()
	if c.Own.Mounts != 1 || c.Own.Processes != 1 || c.Workload.Processes != 1 || c.Workload.Execs != 1 {
		t.Errorf("own: %d mounts, %d processes; workload: %d processes, %d execs",
			c.Own.Mounts, c.Own.Processes, c.Workload.Processes, c.Workload.Execs)
	}
	if len(c.Own.Syscalls) == 0 || len(c.Workload.Syscalls) == 0 || c.Own.CPU == 0 || c.Workload.CPU == 0 {
		t.Errorf("system calls or CPU time are missing: %+v", c)
	}
}

func TestNetworkNamespaceBind(t *testing.T) {
	k := listen(t)
	k.arm()
	const file = "/run/netns/kernel-gossip-test"
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // as ip-netns makes it
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(file) })
	if err := unix.Mount("/proc/self/ns/net", file, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(file, unix.MNT_DETACH) })
	k.find("the bind", func(e event.Event) bool { return e.Kind == event.NetnsBind && e.File == file })
}
