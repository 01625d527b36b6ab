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

func TestWhatARuntimeSaysOfItsFailure(t *testing.T) {
	const prefix = "OCI runtime create failed: runc create failed: unable to start container process: "
	for _, c := range []struct{ message, program, errno string }{
		{prefix + `exec: "/app": stat /app: no such file or directory`, "/app", "ENOENT"},
		{prefix + `exec: "/etc/passwd": permission denied`, "/etc/passwd", "EACCES"},
		{prefix + `exec: "app": executable file not found in $PATH`, "app", ""},
		{"crun: executable file `app` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found", "app", "ENOENT"},
		{"crun: open executable: Permission denied: OCI permission denied", "", "EACCES"},
		{prefix + "error mounting \"/a\" to rootfs at \"/b\": mount /a:/b, flags: 0x5000: not a directory: Are you trying to mount a directory onto a file?", "", "ENOTDIR"},
		{prefix + "unable to set memory limit to 2097152", "", ""},
		{"no such file or directory is what the program printed", "", ""},
	} {
		if got := entrypointIn(c.message); got != c.program {
			t.Errorf("program %q, want %q: %s", got, c.program, c.message)
		}
		if got := errnoIn(c.message); got != c.errno {
			t.Errorf("errno %q, want %q: %s", got, c.errno, c.message)
		}
	}
}

// sandboxThatEnds lets a sandbox of that id begin, whose own process ends badly.
func sandboxThatEnds(b *Book, id string, session uint64, at uint64) {
	hearSandbox(b, id, session, at,
		event.Event{Kind: event.SessionOpen, File: "/usr/bin/runc", Open: &event.Open{Role: event.RoleRuntime}},
		event.Event{Kind: event.Exec, Workload: true, File: "/pause"},
		event.Event{Kind: event.Exit, Workload: true, Value: int64(unix.SIGKILL)})
}

// hearSandbox has events of a sandbox heard, a millisecond apart.
func hearSandbox(b *Book, id string, session, at uint64, events ...event.Event) {
	who := attribution.Identity{PodUID: uid, ContainerID: id, Sandbox: true, Role: event.RoleRuntime, Op: "create"}
	for i, e := range events {
		e.PID = uint32(session) //nolint:gosec // small
		if e.Workload {
			e.PID++
		}
		e.Session, e.Time = session, at+uint64(i)*ms //nolint:gosec // small
		b.Hear(attribution.Attributed{Event: e, Who: who}, nothingLost)
	}
}

func TestASandboxHasFailedOnceAnotherFollows(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	sandboxThatEnds(b, strings.Repeat("cd", 32), 100, 2*sec)
	b.Tell(running(false), 3*sec)
	if n := failedAttempts(b.births[uid], b.pods[uid]); n != 0 {
		t.Errorf("%d failed attempts: the only sandbox served its time", n)
	}
	sandboxThatEnds(b, strings.Repeat("ef", 32), 200, 4*sec)
	if n := failedAttempts(b.births[uid], b.pods[uid]); n != 1 {
		t.Errorf("%d failed attempts, want the sandbox that was replaced", n)
	}
}

// ends lets the container of begin end with a status.
func ends(b *Book, status int64, at uint64) {
	b.Hear(attribution.Attributed{
		Event: event.Event{Kind: event.Exit, Session: 7, PID: 71, Workload: true, Value: status, Time: at},
		Who:   attribution.Identity{PodUID: uid, ContainerID: id, Role: event.RoleRuntime, Op: "create"},
	}, nothingLost)
}

func TestWhatEndsWithThePodHasNotFailed(t *testing.T) {
	exited := int64(3) << 8
	for _, c := range []struct {
		name   string
		status int64
		at     uint64
		want   int32
	}{
		{"killed after the deletion", int64(unix.SIGKILL), 6 * sec, 0},
		{"killed as the deletion was being heard", int64(unix.SIGTERM), 5*sec - 100*ms, 0},
		{"killed long before the deletion", int64(unix.SIGKILL), 2 * sec, 1},
		{"ended by itself before the deletion", exited, 5*sec - 100*ms, 1},
	} {
		b := newTestBook(false)
		begin(b, sec)
		b.Tell(running(true), 2*sec)
		ends(b, c.status, c.at)
		deleted := running(false)
		deleted.Deleted = true
		b.Tell(deleted, 5*sec)
		certificate, _ := b.Close(uid, closing(6*sec+sec))
		s := certificate.Spec
		if s.FailedAttempts != c.want || (s.Outcome == v1alpha1.OutcomeFailed) != (c.want > 0) {
			t.Errorf("%s: outcome %s, %d failed attempts, want %d", c.name, s.Outcome, s.FailedAttempts, c.want)
		}
	}
}

func TestAnAttemptIsToldWithTheWordOnIt(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	b.Tell(running(false), 2*sec)
	ends(b, 3<<8, 2*sec)
	if telling := b.Telling(3 * sec); len(telling) != 0 {
		t.Error("told before the API server said how the container ended")
	}
	if telling := b.Telling(8 * sec); len(telling) != 1 {
		t.Error("not told although the API server says nothing")
	}
	p := running(false)
	p.Containers[0].Running, p.Containers[0].Ended = false, &Ended{ExitCode: 3}
	b.Tell(p, 3*sec)
	if telling := b.Telling(3 * sec); len(telling) != 1 {
		t.Fatal("not told although the API server has its word")
	}
	again := running(false) // the next attempt is under way
	again.Containers[0].Restarts = 1
	b.Tell(again, 4*sec)
	c, _ := b.Interim(uid, closing(4*sec))
	if f := c.Spec.Failure; f == nil || f.Step != "Entrypoint" || f.ExitCode == nil || *f.ExitCode != 3 {
		t.Errorf("failure %+v, want that of the attempt that failed", f)
	}
}

func TestAWarningIsToldWhileNothingElseIsHeard(t *testing.T) {
	b := newTestBook(false)
	b.config.Remarks = true
	b.Hear(attribution.Attributed{
		Event: event.Event{Kind: event.CgroupMkdir, Path: "/kubepods/pod" + uid, Time: 21 * sec}, Who: attribution.Identity{PodUID: uid},
	}, nothingLost)
	pending := running(false)
	pending.Phase, pending.Containers[0] = "Pending", Container{Name: "app"}
	b.Tell(pending, 22*sec)
	if telling := b.Telling(24 * sec); len(telling) != 0 {
		t.Error("told without anything to tell")
	}
	if asking := b.Asking(25 * sec); len(asking) != 1 {
		t.Fatal("the kubelet's events are not asked for")
	}
	b.Said(uid, []Remark{{Reason: "FailedMount", Message: `configmap "c" not found`, Time: epoch.Add(22 * time.Second), Count: 1}})
	if telling := b.Telling(25 * sec); len(telling) != 1 {
		t.Fatal("the warning is not told")
	}
	c, _ := b.Interim(uid, closing(25*sec))
	if f := c.Spec.Failure; f == nil || f.Step != "VolumeMount" || f.Reason != "FailedMount" || c.Spec.Complete {
		t.Errorf("failure %+v", f)
	}
	begin(b, 29*sec) // the volume came after all
	c, _ = b.Interim(uid, closing(30*sec))
	if c.Spec.Outcome != v1alpha1.OutcomePending {
		t.Errorf("outcome %s of a birth that goes on", c.Spec.Outcome)
	}
}

func TestTheKubeletHasTheLastWordOnADeletedPod(t *testing.T) {
	b := newTestBook(false)
	b.config.Remarks = true
	begin(b, sec)
	deleted := running(false)
	deleted.Deleted = true
	b.Tell(deleted, 2*sec)
	if due := b.Due(3 * sec); len(due) != 0 {
		t.Error("due before the kubelet's events were asked for")
	}
	if asking := b.Asking(3 * sec); len(asking) != 1 {
		t.Fatal("the kubelet's events are not asked for")
	}
	b.Said(uid, []Remark{{Reason: "Unhealthy", Container: "app", Message: "Readiness probe failed", Time: epoch.Add(2 * time.Second)}})
	s := mustClose(t, b, 3*sec)
	if f := s.Failure; f == nil || f.Reason != "Unhealthy" || f.Message != "the pod was deleted before it was Ready; Readiness probe failed" {
		t.Errorf("failure %+v", f)
	}
}

func TestThePodEndedAsAWhole(t *testing.T) {
	for _, c := range []struct{ reason, step, want string }{
		{"DeadlineExceeded", "Pod", "DeadlineExceeded"},
		{"", "Entrypoint", ""},
		{"not a word", "Entrypoint", ""},
	} {
		b := newTestBook(false)
		begin(b, sec)
		b.Tell(running(false), 2*sec)
		ends(b, int64(unix.SIGKILL), 5*sec)
		over := running(false)
		over.Phase, over.Reason, over.Message = "Failed", c.reason, "Pod was active on the node longer than the specified deadline"
		over.Containers[0].Running, over.Containers[0].Ended = false, &Ended{ExitCode: 137}
		b.Tell(over, 5*sec)
		certificate, _ := b.Close(uid, closing(6*sec))
		if f := certificate.Spec.Failure; f == nil || f.Step != c.step || f.Reason != c.want || (f.Message == over.Message) != (c.want != "") {
			t.Errorf("%q: failure %+v, want that of %s", c.reason, f, c.step)
		}
	}
}
