// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func TestMembersAreTheForkersChildren(t *testing.T) {
	k := listen(t)
	path, bystander := program(t, runtimeName), program(t, "bystander")
	// A kernel that leaves out runs of programs (7.x) can leave out the very exec
	// that opens a session, or a fork, and counts that: then it is tried again.
	const tries = 5
	for try := 1; !crowd(t, k, path, bystander, try); try++ {
		lost, err := k.Lost()
		if err != nil || lost.Skipped == 0 || try == tries {
			t.Fatalf("a session was not heard, or not all of it, in try %d; lost: %+v, %v", try, lost, err)
		}
	}
	for _, e := range k.kept {
		if e.Kind == event.SessionOpen && strings.Contains(e.File, "bystander") {
			t.Error("a program that is no runtime opened a session")
		}
	}
}

// crowd starts two sessions at the same time, and processes of none, and checks
// that each session has its own. It is false if one was not heard, or not all of it.
func crowd(t *testing.T, k *kernel, path, bystander string, try int) bool {
	t.Helper()
	five, two := fmt.Sprint("five-children-", try), fmt.Sprint("two-children-", try)
	for _, cmd := range []*exec.Cmd{
		start(t, path, "children", "5", five),
		start(t, path, "children", "2", two),
		start(t, bystander, "children", "3", "bystander"),
	} {
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	k.soFar()
	for mark, processes := range map[string]uint64{five: 6, two: 3} {
		open, ok := k.look(0, func(e event.Event) bool {
			return e.Kind == event.SessionOpen && slices.Contains(e.Open.Args, mark)
		})
		if !ok {
			return false
		}
		if _, ok := k.look(0, func(e event.Event) bool {
			return e.Kind == event.Exit && e.Session == open.Session && e.PID == open.PID
		}); !ok {
			return false
		}
		c := k.counts(open.Session).Own
		lost, err := k.Lost()
		if err != nil {
			t.Fatal(err)
		}
		if c.Processes > processes || c.Execs > processes {
			t.Errorf("%s: %d processes and %d execs, want %d", mark, c.Processes, c.Execs, processes)
		}
		// With the fork of a thread all is left out that comes of it.
		if min(c.Processes, c.Execs) < processes {
			t.Logf("%s: %d processes and %d execs of %d; lost: %+v", mark, c.Processes, c.Execs, processes, lost)
			return false
		}
	}
	return true
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

// A process that goes on is not told as one that has ended, though its first
// thread has.
func TestAnExecInAnotherThreadEndsNoProcess(t *testing.T) {
	k := listen(t)
	start(t, program(t, runtimeName), "leap", "leap-mark")
	open := k.opened("leap-mark")
	exec := k.find("the exec", func(e event.Event) bool { return e.Kind == event.Exec && e.Session == open.Session })
	if exit := k.exited(open); exit.Time < exec.Time || exec.PID != open.PID {
		t.Errorf("exec %+v, exit %+v, opened by %d", exec, exit, open.PID)
	}
	if c := k.counts(open.Session).Own; c.Processes != 1 || c.Execs != 2 {
		t.Errorf("%d processes, %d execs, want 1 and 2", c.Processes, c.Execs)
	}
}

// A runtime's child that is born into its cgroup passes by the tracepoint of
// those that join one, and is told at its fork.
func TestAChildInAnotherCgroup(t *testing.T) {
	k := listen(t)
	dir, path := makeCgroup(t, "born")
	made := k.made(path)
	start(t, program(t, runtimeName), "born", "born-mark", dir)
	open := k.opened("born-mark")
	ofChild := func(what string, kind event.Kind) event.Event {
		t.Helper()
		return k.find(what, func(e event.Event) bool {
			return e.Kind == kind && e.Session == open.Session && e.PID != open.PID
		})
	}
	exec, joined := ofChild("the child's exec", event.Exec), ofChild("the join", event.CgroupJoin)
	k.exited(open)
	if joined.Cgroup != made.Cgroup || joined.PID != exec.PID {
		t.Errorf("joined %+v, executed %+v, the cgroup is %d", joined, exec, made.Cgroup)
	}
	if atBirth := joined.Time < exec.Time; atBirth != intoCgroup(dir) {
		t.Errorf("in its cgroup before the exec: %v, want %v", atBirth, intoCgroup(dir))
	}
	joins := 0
	for _, e := range k.kept {
		if e.Kind == event.CgroupJoin && e.Session == open.Session {
			joins++
		}
	}
	if joins != 1 {
		t.Errorf("told %d times, want once", joins)
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
	// Both times are of one run of one program, which may be slow or interrupted.
	if at, ok := sessions[open.Session]; err != nil || !ok || at > open.Time || open.Time-at > 1e9 {
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
	// Other plugins may be at work on this machine.
	e := k.find("the plugin", func(e event.Event) bool {
		return e.Kind == event.SessionOpen && (e.PID == uint32(plugin.Process.Pid) || e.PID == uint32(plain.Process.Pid))
	})
	if e.PID != uint32(plugin.Process.Pid) || e.Open.Role != event.RoleCNI || len(e.Open.Args) != 0 {
		t.Fatalf("%+v %+v", e, e.Open)
	}
	want := event.CNI{Command: "ADD", ContainerID: "abc", Netns: "/run/netns/cni-1", Args: "K8S_POD_UID=u;K8S_POD_NAME=web"}
	if *e.Open.CNI != want {
		t.Errorf("%+v", e.Open.CNI)
	}
	k.exited(e)
}
