// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func TestMembersAreTheForkersChildren(t *testing.T) {
	k := listen(t)
	path := program(t, runtimeName)
	start(t, path, "children", "5", "five-children")
	// Of another session at the same time, and of none.
	start(t, path, "children", "2", "two-children")
	start(t, program(t, "bystander"), "children", "3", "bystander")
	for mark, processes := range map[string]uint64{"five-children": 6, "two-children": 3} {
		open := k.opened(mark)
		k.exited(open)
		c := k.counts(open.Session).Own
		if c.Processes != processes || c.Execs != processes {
			t.Errorf("%s: %d processes and %d execs, want %d", mark, c.Processes, c.Execs, processes)
		}
	}
	for _, e := range k.kept {
		if e.Kind == event.SessionOpen && strings.Contains(e.File, "bystander") {
			t.Error("a program that is no runtime opened a session")
		}
	}
}

func TestCloneParentStaysInTheSession(t *testing.T) {
	k := listen(t)
	start(t, program(t, runtimeName), "orphan", "orphan-mark")
	open := k.opened("orphan-mark")
	k.find("the orphan's exit", func(e event.Event) bool {
		return e.Kind == event.Exit && e.Session == open.Session && e.PID != open.PID && !e.Workload
	})
	k.exited(open)
	if c := k.counts(open.Session).Own; c.Processes != 2 || c.Execs != 2 {
		t.Errorf("%d processes, %d execs, want 2 and 2", c.Processes, c.Execs)
	}
}

func TestNothingIsCountedUnlessArmedAndRemembered(t *testing.T) {
	k := listen(t)
	path := program(t, runtimeName)
	start(t, path, "work", "before-arming")
	open := k.opened("before-arming")
	k.exited(open)
	if c := k.counts(open.Session); len(c.Own.Syscalls) != 0 || c.Own.Processes == 0 {
		t.Errorf("without arming: %+v", c.Own)
	}
	k.arm()
	if err := k.Disarm(); err != nil {
		t.Fatal(err)
	}
	k.arm()
	start(t, path, "work", "after-arming")
	open = k.opened("after-arming")
	k.exited(open)
	if c := k.counts(open.Session); len(c.Own.Syscalls) == 0 {
		t.Error("after arming again nothing was counted")
	}
	if c := k.counts(open.Session); c.Own.Processes != 0 {
		t.Errorf("a forgotten session has counts: %+v", c.Own)
	}
}

func TestSessionsAreListedUntilForgotten(t *testing.T) {
	k := listen(t)
	start(t, program(t, runtimeName), "children", "1", "listed")
	open := k.opened("listed")
	k.exited(open)
	sessions, err := k.Sessions()
	if at, ok := sessions[open.Session]; err != nil || !ok || at > open.Time || open.Time-at > 1e6 {
		t.Errorf("%v %v, opened at %d", sessions, err, open.Time)
	}
	k.counts(open.Session)
	if sessions, err = k.Sessions(); err != nil || len(sessions) != 0 && sessions[open.Session] != 0 {
		t.Errorf("after forgetting: %v %v", sessions, err)
	}
}

func TestCNIPluginsAreKnownByTheirEnvironment(t *testing.T) {
	k := listen(t)
	plugin := exec.Command(program(t, "any-plugin"), "nothing")
	for i := range 100 { // up to beyond what is read of one variable
		plugin.Env = append(plugin.Env, fmt.Sprintf("FILLER_%d=%s", i, strings.Repeat("x", 17*i)))
	}
	plugin.Env = append(plugin.Env, "CNI_ARGS=K8S_POD_UID=u;K8S_POD_NAME=web", "CNI_COMMAND=ADD", "SECRET=hunter2",
		"CNI_NETNS=/run/netns/cni-1", "CNI_CONTAINERID=abc", "CNI_PATH=/opt/cni/bin")
	// The same program without a container id is nobody.
	plain := exec.Command(plugin.Path, "nothing")
	plain.Env = []string{"CNI=1", "XCNI_CONTAINERID=abc", "CNI_COMMAND=ADD"}
	for _, cmd := range []*exec.Cmd{plain, plugin} {
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
	e := k.find("the plugin", func(e event.Event) bool { return e.Kind == event.SessionOpen })
	if e.PID != uint32(plugin.Process.Pid) || e.Open.Role != event.RoleCNI || len(e.Open.Args) != 0 {
		t.Fatalf("%+v %+v", e, e.Open)
	}
	want := event.CNI{Command: "ADD", ContainerID: "abc", Netns: "/run/netns/cni-1", Args: "K8S_POD_UID=u;K8S_POD_NAME=web"}
	if *e.Open.CNI != want {
		t.Errorf("%+v", e.Open.CNI)
	}
	k.exited(e)
}
