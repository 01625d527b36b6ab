// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// A process is moved to and fro while several of its threads make system calls: where
// joins are inferred, all of them notice at once, and one tells.
func TestLadderTellsAMoveOnce(t *testing.T) {
	if plan := onRungs(t, probe.Options{Without: without(t, "cgroup_attach_task")}).probe.Plan(); plan.Way(hooks.CgroupAttach) != hooks.Inferred {
		t.Fatalf("joins are heard by %s", plan.Way(hooks.CgroupAttach))
	}
	const moves = 200
	k := listen(t)
	k.arm()
	here, _ := makeCgroup(t, "here")
	there, _ := makeCgroup(t, "there")
	cmd := start(t, program(t, runtimeName), "calls", "moved-mark")
	open := k.opened("moved-mark")
	pid := strconv.Itoa(cmd.Process.Pid)
	for i := range moves {
		write(t, filepath.Join([]string{here, there}[i%2], "cgroup.procs"), pid)
		if told := k.joins(open.Session, i+1); told != i+1 {
			t.Fatalf("%d moves were told %d times", i+1, told)
		}
	}
	_ = cmd.Process.Kill()
	k.exited(open)
	k.counts(open.Session)
}

// An exec by another thread than the first ends all the others, one of which tells that the
// process has moved; the one that goes on in the first's place does not tell it again.
func TestLadderTellsAMoveOnceAtAnExec(t *testing.T) {
	onRungs(t, probe.Options{Without: without(t, "cgroup_attach_task")})
	k := listen(t)
	dir, _ := makeCgroup(t, "leapt")
	start(t, program(t, runtimeName), "joinleap", "joinleap-mark", dir)
	open := k.opened("joinleap-mark")
	k.find("the exec", func(e event.Event) bool { return e.Kind == event.Exec && e.Session == open.Session })
	k.exited(open)
	if told := k.told(open.Session); told != 1 {
		t.Errorf("told %d times", told)
	}
	k.counts(open.Session)
}

// joinLeap moves this process, and has another thread execute a file.
func joinLeap(args []string) error {
	if err := join(args[1:]); err != nil {
		return err
	}
	return leap(nil)
}

// joins of a session, once there are as many or patience ends: 32 are told, the others
// are counted only.
func (k *kernel) joins(session uint64, many int) int {
	k.t.Helper()
	const told = 32
	if many <= told {
		k.look(patience, func(e event.Event) bool {
			return e.Kind == event.CgroupJoin && e.Session == session && k.told(session) >= many
		})
		return k.told(session)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Microsecond) {
		c, err := k.Counts(session)
		if err != nil {
			k.t.Fatal(err)
		}
		if n := told + int(c.Own.Untold); n >= many || time.Now().After(deadline) {
			return n
		}
	}
}

// told is how many joins of the session were heard so far.
func (k *kernel) told(session uint64) (n int) {
	for _, e := range k.kept {
		if e.Kind == event.CgroupJoin && e.Session == session {
			n++
		}
	}
	return n
}

// calls makes system calls in several threads, and does not end.
func calls([]string) error {
	for range 3 {
		go func() {
			runtime.LockOSThread()
			for {
				_ = unix.Getppid()
			}
		}()
	}
	select {}
}
