// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// What a kubelet of Kubernetes 1.37 tells of a static pod whose file is taken away and put
// back was read from its API server: for a minute the container before is its latest one,
// and restarts are counted on.

var second = strings.Repeat("ef", 32)

// killed is how the container of the life before ended.
func killed(container string) *Ended { return &Ended{ID: container, ExitCode: 137, Reason: "Error"} }

// blankMirror is one that was just made.
func blankMirror() Pod {
	p := mirror(false)
	p.Phase, p.Containers[0] = "Pending", Container{Name: "app"}
	return p
}

// stillBefore is a mirror that tells of the container before.
func stillBefore(waits string) Pod {
	p := mirror(false)
	p.FirstStarted = epoch.Add(time.Second)
	p.Containers[0] = Container{Name: "app", ID: id, WaitingReason: waits, Message: "back-off 10s", Ended: killed(id)}
	return p
}

// anotherRuns is one that tells of the container after. That it was restarted once may
// have been so before.
func anotherRuns(ready bool) Pod {
	p := mirror(ready)
	p.FirstStarted = epoch.Add(time.Second)
	p.Containers[0].ID, p.Containers[0].Restarts, p.Containers[0].Before = second, 1, killed(id)
	return p
}

// cgroupOfThePod is made.
func cgroupOfThePod(b *Book, at uint64) {
	b.Hear(attribution.Attributed{
		Event: event.Event{Kind: event.CgroupMkdir, Path: "/kubepods/pod" + uid, Time: at}, Who: attribution.Identity{PodUID: uid},
	}, nothingLost)
}

// secondLife is what the kernel tells of the pod that is put back at 20 s.
func secondLife(b *Book) {
	cgroupOfThePod(b, 20*sec)
	hearAttempt(b, second, 7, 20*sec+ms, event.Event{Kind: event.Exec, Workload: true, File: "/app"})
}

// firstLife is born at 1 s, and its cgroup is gone at 19 s.
func firstLife(t *testing.T) *Book {
	t.Helper()
	b := withRemarks()
	b.Tell(mirror(true), 1)
	begin(b, sec)
	if c, _ := b.Close(uid, closing(3*sec)); c.Name != Name("web", uid, 1) {
		t.Fatalf("the first is called %s", c.Name)
	}
	b.CgroupGone(uid, 19*sec)
	return b
}

// A file that is put back is the same pod for the kubelet, and another birth of it.
func TestAStaticPodThatIsPutBackIsBornAgain(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(b *Book)
		origin  v1alpha1.Clock
	}{
		"its mirror had gone for long": {func(b *Book) {
			deleteMirror(b, 19*sec+ms)
			b.Due(22 * sec) // it is forgotten
			b.Tell(blankMirror(), 20*sec-ms)
			secondLife(b)
			b.Tell(stillBefore(""), 20*sec+5*ms)
		}, v1alpha1.ClockWatch},
		"its mirror had just gone": {func(b *Book) {
			deleteMirror(b, 19*sec+ms)
			secondLife(b)
			if p, known := b.Pod(uid); known {
				t.Errorf("before there is another mirror the pod is %+v", p)
			}
			b.Tell(blankMirror(), 20*sec+5*ms)
			b.Tell(stillBefore(""), 20*sec+6*ms)
		}, v1alpha1.ClockKernel},
		"its mirror stayed": {func(b *Book) {
			b.Tell(stillBefore(""), 19*sec+ms)
			secondLife(b)
			b.Tell(stillBefore("CrashLoopBackOff"), 20*sec+5*ms)
		}, v1alpha1.ClockKernel},
		"its mirror stayed, and was told late": {func(b *Book) {
			secondLife(b)
			b.Tell(mirror(true), 20*sec+5*ms)
			over := stillBefore("")
			over.Phase = "Failed"
			b.Tell(over, 20*sec+6*ms)
		}, v1alpha1.ClockKernel},
	} {
		t.Run(name, func(t *testing.T) {
			b := firstLife(t)
			c.happens(b)
			interim, ok := b.Interim(uid, closing(20*sec+500*ms))
			if !ok || interim.Spec.Outcome != v1alpha1.OutcomePending || interim.Spec.FailedAttempts != 0 {
				t.Fatalf("%v, before it is Ready: %+v", ok, interim)
			}
			b.Tell(anotherRuns(false), 21*sec)
			b.Tell(anotherRuns(true), 22*sec)
			if due := b.Due(23 * sec); len(due) != 1 {
				t.Fatalf("due: %v", due)
			}
			told, _ := b.Close(uid, closing(23*sec))
			s := told.Spec
			if told.Name != Name("web", uid, 2) || interim.Name != told.Name || told.Labels[v1alpha1.LabelPodUID] != uid || s.PodRef.UID != uid {
				t.Errorf("%s of %+v, and before %s", told.Name, s.PodRef, interim.Name)
			}
			if s.Origin.Clock != c.origin {
				t.Errorf("it begins with %+v", s.Origin)
			}
			if m := s.Milestones; s.Outcome != v1alpha1.OutcomeReady || s.FailedAttempts != 0 || m.Ready == nil || m.Ready.OffsetMicroseconds < 1_999_000 || m.Ready.OffsetMicroseconds > 2_001_000 {
				t.Errorf("%s after %d failed attempts, ready %+v", s.Outcome, s.FailedAttempts, m.Ready)
			}
		})
	}
}

// Its attempts are counted from its own beginning.
func TestAttemptsOfASecondBirth(t *testing.T) {
	b := firstLife(t)
	secondLife(b)
	b.Tell(anotherRuns(false), 21*sec)
	crashed := anotherRuns(false)
	c := &crashed.Containers[0]
	c.Running, c.WaitingReason, c.Before, c.Ended = false, "CrashLoopBackOff", nil, &Ended{ID: second, ExitCode: 3, Reason: "Error"}
	for restarts, want := range []int32{1, 1, 2} { // it stayed what it was, and was counted on
		c.Restarts = int32(restarts) //nolint:gosec // small
		b.Tell(crashed, 22*sec)
		w, _ := b.Interim(uid, closing(30*sec))
		if s := w.Spec; s.Failure == nil || s.Failure.Step != "Entrypoint" || *s.Failure.ExitCode != 3 || s.FailedAttempts != want {
			t.Errorf("%d restarts: %+v, %d failed attempts", restarts, s.Failure, s.FailedAttempts)
		}
	}
	c.WaitingReason, c.Message, c.ID, c.Ended = "ErrImagePull", "gone", id, killed(id)
	b.Tell(crashed, 31*sec)
	w, _ := b.Interim(uid, closing(40*sec))
	if f := w.Spec.Failure; f == nil || f.Step != "ImagePull" || f.ExitCode != nil {
		t.Errorf("an image that cannot be had any more: %+v", f)
	}
}

// What the kubelet said of the life before it has not said of this one.
func TestRemarksOnTheLifeBefore(t *testing.T) {
	b := firstLife(t)
	secondLife(b)
	b.Tell(blankMirror(), 20*sec+5*ms)
	b.Tell(anotherRuns(false), 21*sec)
	before := Remark{Reason: "Pulled", Container: "app", Message: "Successfully pulled image", First: atSecond(1), Time: atSecond(1), Count: 1}
	b.Said(uid, []Remark{before})
	if b.pods[uid].imagesTold() {
		t.Error("the image of the life before was taken for that of this one")
	}
	again := Remark{Reason: "Pulled", Container: "app", Message: presentMessage, First: atSecond(1), Time: atSecond(22), Count: 2}
	b.Said(uid, []Remark{before, again})
	w, _ := b.Interim(uid, closing(30*sec))
	if m := w.Spec.Milestones.Containers[0]; m.Image == nil || m.Image.Source != v1alpha1.ImagePresent || m.ImageReady == nil || m.ImageReady.OffsetMicroseconds != 2_000_000 {
		t.Errorf("image %+v, ready %+v", m.Image, m.ImageReady)
	}
}

// A birth whose images have not been told is finished before the next one is.
func TestTheImagesOfBothLives(t *testing.T) {
	b := firstLife(t)
	if late := b.Late(19 * sec); len(late) != 0 {
		t.Fatalf("it has not been waited for: %v", late)
	}
	secondLife(b)
	if late := b.Late(20*sec + 100*ms); len(late) != 1 {
		t.Fatalf("to be finished: %v", late)
	}
	if c, ok := b.Finish(uid); !ok || c.Name != Name("web", uid, 1) || !strings.HasSuffix(c.Spec.Coverage.Missing[0], "was not heard") {
		t.Errorf("%v, %+v", ok, c)
	}
	b.Tell(blankMirror(), 20*sec+200*ms)
	b.Tell(anotherRuns(true), 21*sec)
	b.Close(uid, closing(23*sec))
	b.Said(uid, []Remark{{Reason: "Pulled", Container: "app", Message: presentMessage, First: atSecond(20), Time: atSecond(20), Count: 1}})
	if c, ok := b.Finish(uid); !ok || c.Name != Name("web", uid, 2) || len(b.Late(23*sec)) != 0 || !c.Spec.Complete {
		t.Errorf("%v, %+v", ok, c)
	}
}

// The births of earlier runs are counted as well.
func TestBirthsOfAnEarlierRunAreCounted(t *testing.T) {
	b := newTestBook(false)
	b.Certified(map[string][]string{uid: {Name("web", uid, 2), Name("web", uid, 1)}})
	b.Tell(mirror(true), sec)
	b.CgroupGone(uid, 19*sec)
	secondLife(b)
	b.Tell(anotherRuns(true), 21*sec)
	c, ok := b.Close(uid, closing(23*sec))
	if !ok || c.Name != Name("web", uid, 3) || c.Spec.Origin.Clock != v1alpha1.ClockKernel {
		t.Errorf("%v, %+v", ok, c)
	}
	begin(b, 24*sec)
	if b.Open() != 0 {
		t.Error("another birth of one that has not ended")
	}
	b.CgroupGone(uid, 25*sec)
	begin(b, 26*sec)
	b.Tell(mirror(true), 27*sec)
	if c, ok := b.Close(uid, closing(28*sec)); !ok || c.Name != Name("web", uid, 4) {
		t.Errorf("%v, %+v", ok, c)
	}
}

// The mirror may go, and be forgotten, before the cgroup does.
func TestTheMirrorGoesFirst(t *testing.T) {
	b := newTestBook(false)
	b.Tell(mirror(true), 1)
	begin(b, sec)
	mustClose(t, b, 3*sec)
	restarted := strings.Repeat("12", 32)
	p := mirror(true)
	p.Containers[0].ID, p.Containers[0].Restarts = restarted, 1
	b.Tell(p, 9*sec)
	p.Deleted = true
	b.Tell(p, 10*sec)
	b.Gone(uid, 10*sec+ms)
	b.Due(15 * sec)
	b.CgroupGone(uid, 19*sec)
	secondLife(b)
	p = stillBefore("CrashLoopBackOff")
	p.Containers[0].ID, p.Containers[0].Restarts, p.Containers[0].Ended = restarted, 1, killed(restarted)
	b.Tell(p, 20*sec+5*ms)
	if c, ok := b.Interim(uid, closing(21*sec)); !ok || c.Spec.Outcome != v1alpha1.OutcomePending {
		t.Errorf("%v, %+v", ok, c)
	}
}

// What is told of the life before may be late.
func TestTheLifeBeforeIsToldLate(t *testing.T) {
	b := firstLife(t)
	restarted := strings.Repeat("12", 32)
	late := mirror(true)
	late.Containers[0].ID, late.Containers[0].Restarts = restarted, 1
	b.Tell(late, 19*sec+ms)
	secondLife(b)
	b.Tell(late, 20*sec+ms)
	b.Tell(anotherRuns(false), 20*sec+2*ms)
	if c, ok := b.Interim(uid, closing(21*sec)); !ok || c.Spec.Outcome != v1alpha1.OutcomePending || c.Spec.FailedAttempts != 0 {
		t.Errorf("%v, %+v", ok, c)
	}
}

// How the container of the life before ended is not how this one's does.
func TestTheEndOfTheLifeBefore(t *testing.T) {
	b := firstLife(t)
	secondLife(b)
	p := anotherRuns(false)
	p.Containers[0].Before.Reason = "OOMKilled"
	b.Tell(p, 21*sec)
	b.Hear(attribution.Attributed{
		Event: event.Event{Kind: event.Exit, Session: 7, PID: 8, Workload: true, Value: 3 << 8, Time: 22 * sec},
		Who:   attribution.Identity{PodUID: uid, ContainerID: second, Role: event.RoleRuntime, Op: "create"},
	}, nothingLost)
	for _, running := range []bool{true, false} {
		c := &p.Containers[0]
		if c.Running = running; !running {
			c.Ended, c.Before = c.Before, nil
		}
		b.Tell(p, 22*sec+ms)
		w, _ := b.Interim(uid, closing(23*sec))
		if f := w.Spec.Failure; f == nil || f.Reason != "" || *f.ExitCode != 3 {
			t.Errorf("running %t: %+v", running, f)
		}
	}
}

// One whose file is taken away while it is being born may come again.
func TestAStaticPodThatWasNeverReadyComesAgain(t *testing.T) {
	b := newTestBook(false)
	b.Tell(mirror(false), 1)
	begin(b, sec)
	b.CgroupGone(uid, 2*sec)
	deleteMirror(b, 2*sec+ms)
	mustClose(t, b, 6*sec)
	secondLife(b)
	b.Tell(stillBefore("CrashLoopBackOff"), 20*sec+5*ms)
	if c, ok := b.Interim(uid, closing(20*sec+500*ms)); !ok || c.Spec.Outcome != v1alpha1.OutcomePending {
		t.Errorf("%v, %+v", ok, c)
	}
	b.Tell(anotherRuns(true), 21*sec)
	if c, ok := b.Close(uid, closing(23*sec)); !ok || c.Name != Name("web", uid, 2) || c.Spec.Outcome != v1alpha1.OutcomeReady {
		t.Errorf("%v, %+v", ok, c)
	}
}

// A pod whose cgroup was not heard to go has not ended: the observer, or its node, was
// started again. Nor is it another birth from the middle, or that a mirror was deleted.
func TestAStaticPodThatHasNotEndedIsNotBornAgain(t *testing.T) {
	told := newTestBook(false)
	told.Tell(mirror(true), 1)
	begin(told, sec)
	mustClose(t, told, 3*sec)
	deleteMirror(told, 4*sec)
	told.Due(10 * sec) // it is forgotten
	restarted := newTestBook(false)
	restarted.Certified(map[string][]string{uid: {Name("web", uid, 1)}})
	for name, b := range map[string]*Book{"its mirror was deleted": told, "a run before": restarted} {
		begin(b, 20*sec)
		b.Tell(mirror(false), 20*sec+ms)
		if b.Open() != 0 || b.BeginLate(uid, 21*sec, Totals{}) {
			t.Errorf("%s: born again", name)
		}
	}
	b := firstLife(t)
	b.Tell(blankMirror(), 20*sec)
	if b.BeginLate(uid, 21*sec, Totals{}) {
		t.Error("born again from the middle")
	}
}

func TestOrdinals(t *testing.T) {
	for name, want := range map[string]int{
		Name("web", uid, 1): 1, Name("web", uid, 2): 2, Name(strings.Repeat("a", 253), uid, 12): 12,
		Name("web-"+uid[:8], uid, 3): 3, "web-3": 1, "x": 1, "web-" + uid[:8] + "-": 1, "web-" + uid[:8] + "--7": 1, "web-" + uid[:8] + "-a": 1,
	} {
		if got := ordinalIn(name, uid); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}
