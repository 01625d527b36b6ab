// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func mirror(ready bool) Pod {
	p := running(ready)
	p.Mirror = true
	return p
}

// deleteMirror is what the API server tells when somebody deletes a mirror.
func deleteMirror(b *Book, at uint64) {
	p := mirror(false)
	p.Deleted = true
	b.Tell(p, at)
	b.Gone(uid, at+ms)
}

// The mirror of a static pod is an object that stands for it. Whoever deletes it ends
// nothing: the kubelet makes another, and the pod is born meanwhile.
func TestAMirrorsDeletionEndsNoBirth(t *testing.T) {
	b := newTestBook(false)
	b.Tell(mirror(false), 1)
	begin(b, sec)
	deleteMirror(b, 2*sec)
	if due := b.Due(10 * sec); len(due) != 0 {
		t.Fatalf("due: %v", due)
	}
	b.Tell(mirror(false), 11*sec)
	b.Tell(mirror(true), 12*sec)
	s := mustClose(t, b, 13*sec)
	if s.Outcome != v1alpha1.OutcomeReady || s.Failure != nil || s.Milestones.Ready == nil || s.Milestones.Ready.OffsetMicroseconds != 11_999_999 {
		t.Errorf("%s, %+v, %+v", s.Outcome, s.Failure, s.Milestones.Ready)
	}
}

// A static pod ends with its file: its cgroup goes, and its mirror, in any order.
func TestAStaticPodThatEndsIsDeleted(t *testing.T) {
	for name, end := range map[string]func(b *Book){
		"the mirror first": func(b *Book) { deleteMirror(b, 2*sec); b.CgroupGone(uid, 3*sec) },
		"the cgroup first": func(b *Book) { b.CgroupGone(uid, 2*sec); deleteMirror(b, 3*sec) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newTestBook(false)
			b.Tell(mirror(false), 1)
			begin(b, sec)
			end(b)
			if due := b.Due(3*sec + ms); len(due) != 0 {
				t.Errorf("it has not settled: %v", due)
			}
			s := mustClose(t, b, 6*sec)
			if s.Failure == nil || !strings.HasPrefix(s.Failure.Message, "the pod was deleted before it was Ready") {
				t.Errorf("%s, %+v", s.Outcome, s.Failure)
			}
			if _, known := b.Pod(uid); known {
				t.Error("it is not forgotten")
			}
		})
	}
}

// A static pod whose file has another content ends, and its mirror stays until the next
// pod's takes its place. What the kubelet kills then is no failure, and not told as one.
func TestAStaticPodThatEndsBeforeItsMirror(t *testing.T) {
	for name, status := range map[string]int64{"killed": int64(unix.SIGKILL), "having heard of its end": 143 << 8} {
		t.Run(name, func(t *testing.T) {
			b := newTestBook(false)
			b.Tell(mirror(false), 1)
			b.Hear(attribution.Attributed{
				Event: event.Event{Kind: event.CgroupMkdir, Path: "/kubepods/pod" + uid, Time: sec}, Who: attribution.Identity{PodUID: uid},
			}, nothingLost)
			sandbox := strings.Repeat("cd", 32)
			hearSandbox(b, sandbox, 100, sec+ms, event.Event{Kind: event.SessionOpen, File: "/usr/bin/runc", Open: &event.Open{Role: event.RoleRuntime}},
				event.Event{Kind: event.Exec, Workload: true, File: "/pause"})
			begin(b, sec+10*ms)
			ends(b, status, 2*sec)
			hearSandbox(b, sandbox, 100, 2*sec+100*ms, event.Event{Kind: event.Exit, Workload: true, Value: int64(unix.SIGKILL)})
			p := mirror(false)
			p.Containers[0].Running, p.Containers[0].Ended = false, &Ended{ExitCode: 137, Reason: "Error"}
			b.Tell(p, 2*sec+200*ms)
			if telling := b.Telling(3 * sec); len(telling) != 0 {
				t.Error("its end was told as a failure")
			}
			b.CgroupGone(uid, 4*sec)
			if due := b.Due(4*sec + heardLateBy - 1); len(due) != 0 {
				t.Error("its mirror had no time to tell of another end")
			}
			s := mustClose(t, b, 4*sec+heardLateBy)
			if f := s.Failure; f == nil || f.Step != "Readiness" || f.Message != "the pod was deleted before it was Ready" || s.FailedAttempts != 0 {
				t.Errorf("%s, %+v, %d failed attempts", s.Outcome, f, s.FailedAttempts)
			}
		})
	}
}

// What fails by itself just before the end has failed all the same.
func TestAStaticPodThatFailsBeforeItEnds(t *testing.T) {
	b := newTestBook(false)
	b.Tell(mirror(false), 1)
	begin(b, sec)
	ends(b, 3<<8, 2*sec)
	sandboxThatEnds(b, strings.Repeat("cd", 32), 100, 2*sec+100*ms)
	b.CgroupGone(uid, 3*sec)
	s := mustClose(t, b, 3*sec+heardLateBy)
	if f := s.Failure; f == nil || f.Step != "Entrypoint" || f.ExitCode == nil || *f.ExitCode != 3 || s.FailedAttempts != 1 {
		t.Errorf("%+v, %d failed attempts", s.Failure, s.FailedAttempts)
	}
}

// One that fails for good is not deleted, although its cgroup goes as well.
func TestAStaticPodThatFailsForGoodIsNotDeleted(t *testing.T) {
	b := newTestBook(false)
	b.Tell(mirror(false), 1)
	begin(b, sec)
	ends(b, 3<<8, 2*sec)
	b.CgroupGone(uid, 3*sec)
	p := mirror(false)
	p.Phase, p.Containers[0].Running, p.Containers[0].Ended = "Failed", false, &Ended{ExitCode: 3, Reason: "Error"}
	b.Tell(p, 4*sec)
	s := mustClose(t, b, 10*sec)
	if f := s.Failure; f == nil || f.Step != "Entrypoint" || strings.Contains(f.Message, "deleted") || s.FailedAttempts != 1 {
		t.Errorf("%+v, %d failed attempts", s.Failure, s.FailedAttempts)
	}
}

// A mirror that was just made says nothing of its pod: what was known of why it fails
// stays, and so does that it was Ready.
func TestAMirrorMadeAnewUndoesNothing(t *testing.T) {
	blank := mirror(false)
	blank.Phase, blank.Containers[0] = "Pending", Container{Name: "app"}
	b := newTestBook(false)
	b.Tell(mirror(false), 1)
	begin(b, sec)
	failing := mirror(false)
	failing.Containers[0] = Container{Name: "app", ID: id, WaitingReason: "ImagePullBackOff", Message: "no such image"}
	b.Tell(failing, 2*sec)
	failing.Deleted = true
	b.Tell(failing, 3*sec)
	b.Gone(uid, 3*sec+ms)
	b.Tell(blank, 4*sec)
	c, _ := b.Interim(uid, closing(5*sec))
	if f := c.Spec.Failure; f == nil || f.Step != "ImagePull" || f.Message != "no such image" {
		t.Errorf("%+v", f)
	}
	b.Tell(mirror(true), 6*sec)
	b.Tell(blank, 6*sec+ms)
	if s := mustClose(t, b, 7*sec); s.Outcome != v1alpha1.OutcomeReady || s.Milestones.Ready.OffsetMicroseconds != 5_999_999 {
		t.Errorf("%s, %+v", s.Outcome, s.Milestones.Ready)
	}
}

// A birth that ends while there is no mirror leaves nothing behind, unless one comes.
func TestAStaticPodWithoutItsMirrorIsForgotten(t *testing.T) {
	b := newTestBook(false)
	b.Tell(mirror(false), 1)
	begin(b, sec)
	deleteMirror(b, 2*sec)
	end := 3*sec + uint64(b.config.Timeout)
	mustClose(t, b, end)
	b.Due(end + 2*heardLateBy)
	if _, known := b.Pod(uid); known {
		t.Error("it is not forgotten")
	}
}
