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

func waiting(reason, message string) Pod {
	p := running(false)
	p.Phase, p.Containers[0] = "Pending", Container{Name: "app", WaitingReason: reason, Message: message}
	return p
}

func atSecond(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

// sandboxOnly lets a birth begin whose sandbox is there.
func sandboxOnly(b *Book, at uint64) {
	who := attribution.Identity{PodUID: uid, ContainerID: strings.Repeat("cd", 32), Sandbox: true, Role: event.RoleRuntime, Op: "start"}
	for i, a := range []attribution.Attributed{
		{Event: event.Event{Kind: event.CgroupMkdir, Path: "/kubepods/pod" + uid}, Who: attribution.Identity{PodUID: uid}},
		{Event: event.Event{Kind: event.SessionOpen, Session: 6, PID: 60, File: "/usr/bin/runc", Open: &event.Open{Role: event.RoleRuntime}}, Who: who},
		{Event: event.Event{Kind: event.Exec, Session: 6, PID: 61, Workload: true, File: "/pause"}, Who: who},
		{Event: event.Event{Kind: event.Exit, Session: 6, PID: 60}, Who: who},
	} {
		a.Time = at + uint64(i)*ms //nolint:gosec // small
		b.Hear(a, nothingLost)
	}
}

// unpulled lets two pulls fail that the container's status shows.
func unpulled(b *Book) {
	b.Tell(waiting("", ""), sec)
	sandboxOnly(b, sec)
	for i, reason := range []string{"ErrImagePull", "ImagePullBackOff", "ImagePullBackOff", "ErrImagePull", "ImagePullBackOff"} {
		b.Tell(waiting(reason, "connection refused"), uint64(i+2)*sec) //nolint:gosec // small
	}
}

func pullsFailed(n int32, last int) Remark {
	return Remark{Reason: "Failed", Container: "app", Message: pullFailed + `"x": connection refused`, First: atSecond(2), Time: atSecond(last), Count: n}
}

func TestPullsThatFailAreCounted(t *testing.T) {
	beside := []Remark{
		{Reason: "Failed", Container: "app", Message: "Error: ErrImagePull", Count: 9},
		{Reason: "BackOff", Container: "app", Message: "Back-off pulling image", Count: 9},
		{Reason: "Failed", Container: "other", Message: pullFailed + "of another", Count: 9},
	}
	for _, c := range []struct {
		name string
		said []Remark
		want int32
		last v1alpha1.Milestone
	}{
		{"by the status", beside, 2, v1alpha1.Milestone{OffsetMicroseconds: 4_000_000, Clock: v1alpha1.ClockWatch}},
		{"events tell of more", append(beside, pullsFailed(2, 7), pullsFailed(1, 9)), 3, v1alpha1.Milestone{OffsetMicroseconds: 8_000_000, Clock: v1alpha1.ClockAPI}},
		{"events tell of fewer", append(beside, pullsFailed(1, 2)), 2, v1alpha1.Milestone{OffsetMicroseconds: 4_000_000, Clock: v1alpha1.ClockWatch}},
	} {
		b := withRemarks()
		unpulled(b)
		b.Said(uid, c.said)
		interim, _ := b.Interim(uid, closing(10*sec))
		s := interim.Spec
		if s.Outcome != v1alpha1.OutcomeFailed || s.Failure.Step != "ImagePull" || !s.UnderWay || s.FailedAttempts != c.want || len(s.Attempts) != 1 {
			t.Fatalf("%s: %s, %+v, under way %v, %d of %+v", c.name, s.Outcome, s.Failure, s.UnderWay, s.FailedAttempts, s.Attempts)
		}
		if s.KernelStats.DurationMicroseconds != 4_000_000 {
			t.Errorf("%s: failed after %d µs, want when the status showed it last", c.name, s.KernelStats.DurationMicroseconds)
		}
		a := s.Attempts[0]
		if a.Step != "ImagePull" || a.Container != "app" || a.Reason != "ErrImagePull" || a.Failed != c.want || a.LastFailed == nil || *a.LastFailed != c.last {
			t.Errorf("%s: %+v, last %+v", c.name, a, a.LastFailed)
		}
	}
}

// Each failure is told once it is known.
func TestEachPullThatFailsIsTold(t *testing.T) {
	b := withRemarks()
	unpulled(b)
	tells := func(now uint64, want int) {
		t.Helper()
		if n := len(b.Telling(now)); n != want {
			t.Errorf("%d told at %d s, want %d", n, now/sec, want)
		}
	}
	tells(6*sec, 1)
	b.Interim(uid, closing(6*sec))
	tells(60*sec, 1) // slow
	b.Interim(uid, closing(60*sec))
	tells(61*sec, 0)
	b.Said(uid, []Remark{pullsFailed(3, 60)})
	tells(61*sec, 0) // it was told just now
	tells(66*sec, 1)
}

func TestAPodThatWasBornAfterPullsThatFailed(t *testing.T) {
	b := withRemarks()
	unpulled(b)
	begin(b, 20*sec)
	b.Tell(running(true), 21*sec)
	b.Said(uid, append([]Remark{pullsFailed(2, 5)}, pulled...))
	s := mustClose(t, b, 23*sec)
	if s.Outcome != v1alpha1.OutcomeReady || !s.Complete || s.UnderWay || s.FailedAttempts != 2 || len(s.Attempts) != 1 {
		t.Errorf("%s, complete %v %q, %d of %+v", s.Outcome, s.Complete, s.Coverage.Missing, s.FailedAttempts, s.Attempts)
	}
	want := map[string][2]int64{ // the pull that came through took the last 1.5 s before the container was made
		"KubeletContainer": {3_000, 18_998_000}, "ImageRetry": {1_000_000, 16_501_000}, "ImagePull": {17_501_000, 1_500_000},
	}
	for _, p := range s.Phases {
		if w, ok := want[p.Name]; ok {
			if delete(want, p.Name); p.StartMicroseconds != w[0] || p.DurationMicroseconds != w[1] || p.Container != "app" {
				t.Errorf("%s from %d for %d, want %v", p.Name, p.StartMicroseconds, p.DurationMicroseconds, w)
			}
			if p.Name == "ImageRetry" && p.CriticalMicroseconds != p.DurationMicroseconds {
				t.Errorf("of %s %d are critical", p.Name, p.CriticalMicroseconds)
			}
		}
	}
	if len(want) != 0 {
		t.Errorf("missing phases %v of %+v", want, s.Phases)
	}
}

func TestAConfigurationThatCannotBeUsed(t *testing.T) {
	for _, c := range []struct{ message, step string }{
		{`configmap "c" not found`, "ContainerConfig"},
		{`failed to prepare subPath for volumeMount "v" of container "app"`, "VolumeMount"},
		{"unable to provision SubPath `../x`: must not contain '..'", "VolumeMount"},
		{"missing value for DAY", "VolumeMount"},
	} {
		b := withRemarks()
		b.Tell(waiting("", ""), 0)
		sandboxOnly(b, sec)
		for at := range uint64(5) {
			b.Tell(waiting("CreateContainerConfigError", c.message), (at+2)*sec)
		}
		said := Remark{Reason: "Failed", Container: "app", Message: "Error: " + c.message, First: atSecond(2), Time: atSecond(9), Count: 4}
		b.Said(uid, []Remark{said, {Reason: "Failed", Container: "app", Message: "Error: something else", Count: 7}})
		interim, _ := b.Interim(uid, closing(10*sec))
		s := interim.Spec
		if f := s.Failure; f == nil || f.Step != c.step || f.Container != "app" || f.Reason != "CreateContainerConfigError" || f.Actor != v1alpha1.ActorKubelet {
			t.Errorf("%s: failure %+v", c.message, f)
		}
		if s.FailedAttempts != 4 || len(s.Attempts) != 1 || s.Attempts[0].Step != c.step || s.Attempts[0].Reason != "CreateContainerConfigError" {
			t.Errorf("%s: %d of %+v", c.message, s.FailedAttempts, s.Attempts)
		}
	}
}

// What becomes of the pod after its birth is not in a certificate that waits for images.
func TestSetbacksAfterTheBirthAreNotOfIt(t *testing.T) {
	b := withRemarks()
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	mustClose(t, b, 3*sec)
	b.Tell(waiting("ErrImagePull", "gone"), 5*sec)
	b.Said(uid, pulled)
	if c, _ := b.Finish(uid); c.Spec.FailedAttempts != 0 || c.Spec.UnderWay {
		t.Errorf("%d failed attempts, under way %v", c.Spec.FailedAttempts, c.Spec.UnderWay)
	}
}

// An image that was pulled once is there at the next attempt.
func TestTheFirstWordOnAnImageCounts(t *testing.T) {
	b := withRemarks()
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	present := Remark{Reason: "Pulled", Container: "app", Message: "already present on machine", First: atSecond(9), Time: atSecond(9)}
	first := pulled[0]
	first.First, first.Time, first.Count = atSecond(2), atSecond(12), 2
	b.Said(uid, []Remark{present, first})
	s := mustClose(t, b, 3*sec)
	m := s.Milestones.Containers[0]
	if m.Image == nil || m.Image.Source != v1alpha1.ImagePulled || m.ImageReady == nil || m.ImageReady.OffsetMicroseconds != 1_000_000 {
		t.Errorf("image %+v, ready %+v", m.Image, m.ImageReady)
	}
}
