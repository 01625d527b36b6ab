// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
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
	runtime := program(t, runtimeName)
	k.insist(t, func(try int) string { return k.container(t, runtime, try) })
}

// container lets a runtime make one, and says what is wrong with what was heard of it.
func (k *kernel) container(t *testing.T, runtime string, try int) string {
	t.Helper()
	dir, path := makeCgroup(t, fmt.Sprint("container-", try))
	cmd := start(t, runtime, "container", fmt.Sprint("container-mark-", try), dir)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	open, exit, wrong := k.life(cmd.Process.Pid)
	if wrong != "" {
		return wrong
	}
	made, ok := k.look(0, func(e event.Event) bool { return e.Kind == event.CgroupMkdir && e.Path == path })
	if !ok {
		return "the cgroup was not heard"
	}
	order := []event.Event{made, open}
	for _, want := range []struct {
		kind     event.Kind
		workload bool
	}{
		{event.CgroupJoin, false},
		{event.Namespaces, false},
		{event.ExecFailed, false},
		{event.Exec, true},
		{event.Listen, true},
		{event.Accept, true},
	} {
		e, ok := k.look(0, func(e event.Event) bool {
			return e.Kind == want.kind && e.Session == open.Session && e.Workload == want.workload
		})
		if !ok {
			return fmt.Sprintf("%s was not heard", want.kind)
		}
		order = append(order, e)
	}
	order = append(order, exit)
	for i := 1; i < len(order); i++ {
		if order[i-1].Time >= order[i].Time {
			t.Errorf("%s is not before %s", order[i-1].Kind, order[i].Kind)
		}
	}
	checkContainer(t, order, inode(t, dir), cmd.Process.Pid)
	if wrong := containerCounts(k.counts(open.Session)); wrong != "" {
		return wrong
	}
	removeCgroup(t, dir)
	k.soFar()
	if _, ok := k.look(0, func(e event.Event) bool { return e.Kind == event.CgroupRmdir && e.Cgroup == made.Cgroup }); !ok {
		return "the cgroup's removal was not heard"
	}
	return ""
}

// checkContainer checks what was heard of a container, in its order.
func checkContainer(t *testing.T, heard []event.Event, cgroup uint64, pid int) {
	t.Helper()
	made, open, joined, namespaces, failed, entry, listening := heard[0], heard[1], heard[2], heard[3], heard[4], heard[5], heard[6]
	if made.Cgroup != cgroup || joined.Cgroup != made.Cgroup || joined.PID != uint32(pid) {
		t.Errorf("made %+v, joined %+v, the folder's inode is %d", made, joined, cgroup)
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
}

func containerCounts(c event.SessionCounts) string {
	if c.Own.Mounts != 1 || c.Own.Processes != 1 || c.Workload.Processes != 1 || c.Workload.Execs != 1 {
		return fmt.Sprintf("own: %d mounts, %d processes; workload: %d processes, %d execs",
			c.Own.Mounts, c.Own.Processes, c.Workload.Processes, c.Workload.Execs)
	}
	if len(c.Own.Syscalls) == 0 || len(c.Workload.Syscalls) == 0 || c.Own.CPU == 0 || c.Workload.CPU == 0 {
		return fmt.Sprintf("system calls or CPU time are missing: %+v", c)
	}
	return ""
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
