// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// killedByTheKubelet is a birth whose program was killed at 4 s, of which the status
// says only that the kubelet waits until it starts it again.
func killedByTheKubelet(signal unix.Signal) *Book {
	b := withRemarks()
	begin(b, sec)
	b.Tell(running(false), 2*sec)
	ends(b, int64(signal), 4*sec)
	p := running(false)
	p.Containers[0] = Container{
		Name: "app", ID: id, WaitingReason: "CrashLoopBackOff", Message: "back-off 10s", Ended: &Ended{ExitCode: 137, Reason: "Error"},
	}
	b.Tell(p, 4*sec+ms)
	return b
}

func at(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

// By whose hand a program died that was killed, and for what, only the kubelet knows.
func TestTheKubeletSaysWhyItKilled(t *testing.T) {
	startup := Remark{Reason: "Killing", Container: "app", Message: "Container app failed startup probe, will be restarted", Time: at(3)}
	probe := Remark{Reason: "Unhealthy", Container: "app", Message: "Startup probe failed: refused\n", Time: at(3)}
	hook := Remark{Reason: "FailedPostStartHook", Container: "app", Message: "PostStartHook failed", Time: at(3)}
	deleted := Remark{Reason: "Killing", Container: "app", Message: "Stopping container app", Time: at(3)}
	before, others := hook, hook
	before.Time, others.Container = at(0), "other"
	for _, c := range []struct {
		name                string
		said                []Remark
		step, reason, words string
		actor               v1alpha1.Actor
	}{
		{"startup probe", []Remark{startup, probe}, "Readiness", "Unhealthy", "Container app failed startup probe, will be restarted; Startup probe failed: refused", v1alpha1.ActorKubelet},
		{"hook", []Remark{hook}, "PostStartHook", "PostStartHookError", "PostStartHook failed", v1alpha1.ActorKubelet},
		{"something else", []Remark{deleted}, "Entrypoint", "CrashLoopBackOff", "back-off 10s", v1alpha1.ActorWorkload},
		{"an attempt before", []Remark{before}, "Entrypoint", "CrashLoopBackOff", "back-off 10s", v1alpha1.ActorWorkload},
		{"another container", []Remark{others}, "Entrypoint", "CrashLoopBackOff", "back-off 10s", v1alpha1.ActorWorkload},
	} {
		b := killedByTheKubelet(unix.SIGKILL)
		if telling := b.Telling(5 * sec); len(telling) != 0 {
			t.Errorf("%s: told before the kubelet has said anything", c.name)
		}
		if asking := b.Asking(5 * sec); len(asking) != 1 {
			t.Errorf("%s: asking for %v", c.name, asking)
		}
		b.Said(uid, c.said)
		if telling := b.Telling(5 * sec); len(telling) == 0 && c.actor == v1alpha1.ActorKubelet {
			t.Errorf("%s: not told", c.name)
		}
		if telling := b.Telling(4*sec + explainedAfter + 2*sec); len(telling) == 0 {
			t.Errorf("%s: waited for ever", c.name)
		}
		w, _ := b.Interim(uid, closing(10*sec))
		f := w.Spec.Failure
		if f == nil || f.Step != c.step || f.Reason != c.reason || f.Message != c.words || f.Actor != c.actor || f.Signal != "SIGKILL" {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}

// A program that died of its own fault is not waited for, and nobody else is blamed.
func TestAFaultIsNobodyElses(t *testing.T) {
	b := killedByTheKubelet(unix.SIGSEGV)
	if telling := b.Telling(5 * sec); len(telling) != 1 {
		t.Error("not told")
	}
}

// What a hook's command said is in the status, for a moment.
func TestTheHooksOwnError(t *testing.T) {
	b := withRemarks()
	begin(b, sec)
	p := running(false)
	p.Containers[0].Running, p.Containers[0].WaitingReason, p.Containers[0].Message = false, hookError, "exited with 7"
	b.Tell(p, 2*sec)
	ends(b, int64(unix.SIGKILL), 3*sec)
	p.Containers[0].WaitingReason, p.Containers[0].Message = "CrashLoopBackOff", "back-off 10s"
	b.Tell(p, 4*sec)
	b.Said(uid, []Remark{{Reason: "FailedPostStartHook", Container: "app", Message: "PostStartHook failed", Time: at(3)}})
	c, _ := b.Interim(uid, closing(10*sec))
	if f := c.Spec.Failure; f == nil || f.Step != "PostStartHook" || f.Message != "exited with 7" {
		t.Errorf("%+v", f)
	}
}

// A pod that is deleted right after the kubelet has killed its container for a probe has
// failed before.
func TestKilledForAProbeAndDeletedAtOnce(t *testing.T) {
	b := killedByTheKubelet(unix.SIGKILL)
	b.Said(uid, []Remark{{Reason: "Killing", Container: "app", Message: "Container app failed liveness probe, will be restarted", Time: at(4)}})
	p := running(false)
	p.Deleted = true
	b.Tell(p, 5*sec)
	c, _ := b.Close(uid, closing(6*sec))
	if f := c.Spec.Failure; f == nil || f.Step != "Readiness" || f.Reason != "Unhealthy" || c.Spec.FailedAttempts != 1 {
		t.Errorf("%+v, %d failed attempts", f, c.Spec.FailedAttempts)
	}
}

// Of each attempt the kubelet's word is waited for, also where one before was told.
func TestTheNextKillIsWaitedForAsWell(t *testing.T) {
	b := killedByTheKubelet(unix.SIGKILL)
	b.Interim(uid, closing(5*sec))
	app := attribution.Identity{PodUID: uid, ContainerID: id, Role: event.RoleRuntime, Op: "create"}
	for i, e := range []event.Event{
		{Kind: event.SessionOpen, PID: 80, File: "/usr/bin/runc", Open: &event.Open{Role: event.RoleRuntime}},
		{Kind: event.Exec, PID: 81, Workload: true, File: "/app"},
		{Kind: event.Exit, PID: 81, Workload: true, Value: int64(unix.SIGKILL)},
	} {
		e.Session, e.Time = 8, 14*sec+uint64(i)*ms //nolint:gosec // small
		app.ContainerID = strings.Repeat("ba", 32)
		b.Hear(attribution.Attributed{Event: e, Who: app}, nothingLost)
	}
	p := running(false)
	p.Containers[0].ID, p.Containers[0].Restarts = app.ContainerID, 1
	b.Tell(p, 14*sec)
	if telling := b.Telling(15 * sec); len(telling) != 0 {
		t.Error("told before the kubelet has said anything of it")
	}
	b.Said(uid, []Remark{{Reason: "FailedPostStartHook", Container: "app", Message: "PostStartHook failed", Time: at(14)}})
	if telling := b.Telling(15 * sec); len(telling) != 1 {
		t.Error("not told")
	}
}
