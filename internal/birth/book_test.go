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

// The births of real pods are tested from recordings, in internal/observer;
// here are the cases that are hard to record.

const (
	uid = "0b3f5b7c-1e0f-4c57-9c6e-3d0d6b0a7a11"
	ms  = uint64(time.Millisecond)
	sec = uint64(time.Second)
)

var (
	id    = strings.Repeat("ab", 32)
	epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func newTestBook(withoutAPI bool) *Book {
	return NewBook(Config{
		NodeName: "node1", WithoutAPI: withoutAPI,
		Settle: 300 * time.Millisecond, Quiet: 2 * time.Second, Timeout: 10 * time.Minute,
		Wall:        func(t uint64) time.Time { return epoch.Add(time.Duration(t)) },
		SyscallName: func(int) string { return "getpid" },
	})
}

func nothingLost(uint64) Totals { return Totals{} }

// begin lets a birth begin at a time, with a runtime that creates a container
// and its entrypoint.
func begin(b *Book, at uint64) {
	pod := attribution.Identity{PodUID: uid}
	app := attribution.Identity{PodUID: uid, ContainerID: id, Role: event.RoleRuntime, Op: "create"}
	for i, a := range []attribution.Attributed{
		{Event: event.Event{Kind: event.CgroupMkdir, Path: "/kubepods/pod" + uid}, Who: pod},
		{Event: event.Event{Kind: event.SessionOpen, Session: 7, PID: 70, File: "/usr/bin/runc", Open: &event.Open{Role: event.RoleRuntime}}, Who: app},
		{Event: event.Event{Kind: event.Exec, Session: 7, PID: 71, Workload: true, File: "/app"}, Who: app},
	} {
		a.Time = at + uint64(i)*ms
		b.Hear(a, nothingLost)
	}
}

func running(ready bool) Pod {
	return Pod{
		UID: uid, Namespace: "ns", Name: "web", Phase: "Running", Ready: ready,
		Containers: []Container{{Name: "app", ID: id, Runtime: "containerd", Running: true}},
	}
}

func closing(now uint64) Closing {
	return Closing{Now: now, Deaf: []Span{{0, 1}}, Counts: map[uint64]event.SessionCounts{7: {
		Own:      event.Counts{Processes: 1, Execs: 1, Syscalls: map[int]uint64{39: 10}},
		Workload: event.Counts{Processes: 1, Execs: 1, Syscalls: map[int]uint64{39: 5}},
	}}}
}

func mustClose(t *testing.T, b *Book, now uint64) v1alpha1.PodBirthCertificateSpec {
	t.Helper()
	if due := b.Due(now); len(due) != 1 || due[0] != uid {
		t.Fatalf("due: %v", due)
	}
	c, ok := b.Close(uid, closing(now))
	if !ok {
		t.Fatal("no certificate")
	}
	return c.Spec
}

func TestAPodOlderThanTheObserverIsNotBorn(t *testing.T) {
	b := newTestBook(false)
	b.Tell(running(true), sec)
	restart := attribution.Attributed{
		Event: event.Event{Kind: event.SessionOpen, Session: 9, Time: 2 * sec},
		Who:   attribution.Identity{PodUID: uid, ContainerID: id, Role: event.RoleRuntime, Op: "create"},
	}
	if b.Hear(restart, nothingLost) || b.Open() != 0 {
		t.Error("a restart was taken for a birth")
	}
}

func TestAnOptOutEndsTheBirth(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	out := running(false)
	out.OptedOut = true
	b.Tell(out, sec+5*ms)
	begin(b, sec+6*ms)
	if b.Open() != 0 {
		t.Error("a pod that opted out has a birth")
	}
}

func TestNobodyListensForAPodThatOptedOut(t *testing.T) {
	b := newTestBook(false)
	p := running(false)
	p.Phase, p.Containers[0] = "Pending", Container{Name: "app"}
	b.Tell(p, sec)
	if !b.Expecting(2 * sec) {
		t.Error("a pod that has not started is not expected")
	}
	p.OptedOut = true
	b.Tell(p, 2*sec)
	if b.Expecting(2 * sec) {
		t.Error("a pod that opted out is expected")
	}
}

func TestReadyIsTakenFromTheAPIWhenTheWatchIsLate(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	late := running(true)
	late.ReadySince = epoch.Add(2 * time.Second)
	b.Tell(late, 60*sec) // the API server was away for a minute
	s := mustClose(t, b, 61*sec)
	if r := s.Milestones.Ready; r == nil || r.Clock != v1alpha1.ClockAPI || r.OffsetMicroseconds != 1_000_000 {
		t.Errorf("ready: %+v", r)
	}
	if s.Duration != "1.00s" || s.Outcome != v1alpha1.OutcomeReady {
		t.Errorf("%s in %s", s.Outcome, s.Duration)
	}
}

// What a queue of watches lost nobody counts: it is no event of a ring.
func TestAFullQueueOfWatches(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	c := closing(3 * sec)
	c.Lost.Overflows = 2
	certificate, _ := b.Close(uid, c)
	cover, want := certificate.Spec.Coverage, v1alpha1.Loss{Reason: v1alpha1.LossWatchQueueFull, Count: 2}
	if certificate.Spec.Complete || len(cover.Lost) != 1 || cover.Lost[0] != want {
		t.Errorf("complete %v, %+v", certificate.Spec.Complete, cover)
	}
	if len(cover.Missing) != 1 || !strings.Contains(cover.Missing[0], "2 times the queue of its watches was full") {
		t.Errorf("%q", cover.Missing)
	}
}

// The mirror of a static pod may be deleted and made again under the pod's own UID,
// which goes on living.
func TestAPodThatIsToldAgain(t *testing.T) {
	b := newTestBook(false)
	p := running(true)
	b.Tell(p, sec)
	b.Gone(p.UID, 2*sec)
	b.Tell(p, 3*sec)
	b.Due(10 * sec)
	if told, known := b.Pod(p.UID); !known || told.Deleted {
		t.Errorf("known %t: %+v", known, told)
	}
	b.Gone(p.UID, 11*sec)
	b.Due(20 * sec)
	if _, known := b.Pod(p.UID); known {
		t.Error("it is not forgotten")
	}
}

func TestLossesSpoilACertificate(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	c := closing(3 * sec)
	c.Lost.Events = 4
	certificate, _ := b.Close(uid, c)
	if cover := certificate.Spec.Coverage; certificate.Spec.Complete || cover.LostEvents != 4 || len(cover.Missing) != 1 {
		t.Errorf("complete %v, %+v", certificate.Spec.Complete, cover)
	}
}

// Of who executes, or joins namespaces, without measure what is not told one by one is counted.
func TestExecsBeyondTheBoundAreCounted(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	end := closing(3 * sec)
	counts := end.Counts[7]
	counts.Workload.Execs = 1000
	counts.Own.Untold = 4 // deeds
	end.Counts[7] = counts
	c, _ := b.Close(uid, end)
	want := v1alpha1.Loss{Reason: v1alpha1.LossBirthBufferFull, Count: 940}
	if lost := c.Spec.Coverage.Lost; len(lost) != 1 || lost[0] != want || c.Spec.Coverage.LostEvents != 0 {
		t.Errorf("lost %+v of %d", lost, c.Spec.Coverage.LostEvents)
	}
}

func TestAttributionIsRoundedDown(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	c := closing(3 * sec)
	c.Window = attribution.Window{Heard: 10000, Unresolved: 1}
	certificate, _ := b.Close(uid, c)
	if cover := certificate.Spec.Coverage; certificate.Spec.Complete || cover.AttributedPercent != "99.9" {
		t.Errorf("complete %v, %+v", certificate.Spec.Complete, cover)
	}
}

func TestLateHearingIsNamed(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	c := closing(3 * sec)
	c.Deaf = []Span{{0, sec + 2*ms}}
	certificate, _ := b.Close(uid, c)
	s := certificate.Spec
	if s.Complete || len(s.Coverage.Missing) != 1 || !strings.HasPrefix(s.Coverage.Missing[0], "system calls up to 2.0ms") {
		t.Errorf("complete %v, %+v", s.Complete, s.Coverage)
	}
	c = closing(3 * sec)
	c.Deaf = []Span{{0, c.Now}}
	b = newTestBook(false)
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	certificate, _ = b.Close(uid, c)
	if k := certificate.Spec.KernelStats; k.Mounts != nil || k.NamespacesCreated != nil {
		t.Errorf("what was not heard is not absent: %+v", k)
	}
}

func TestARemovedPodNobodyNamesEndsWithoutACertificate(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	b.CgroupGone(uid, 2*sec)
	if due := b.Due(30 * sec); len(due) != 0 {
		t.Errorf("the API server was not waited for: %v", due)
	}
	if due := b.Due(63 * sec); len(due) != 1 {
		t.Fatal("it is still open")
	}
	if _, ok := b.Close(uid, closing(63*sec)); ok {
		t.Error("a certificate without a name")
	}
}

// The kernel's events come up to a tenth of a second late, the API server's do not.
func TestAPodThatIsGoneBeforeItsCgroupIsHeardOf(t *testing.T) {
	b := newTestBook(false)
	b.Tell(running(false), sec)
	b.Gone(uid, sec+20*ms)
	if b.Expecting(sec + 21*ms) {
		t.Error("a pod that is gone is waited for")
	}
	begin(b, sec+10*ms)
	b.CgroupGone(uid, 2*sec)
	if c := mustClose(t, b, 3*sec); c.Outcome != v1alpha1.OutcomeFailed || c.PodRef.Name == "" {
		t.Errorf("outcome %s of %+v", c.Outcome, c.PodRef)
	}
	b.Tell(running(false), 10*sec)
	b.Gone(uid, 11*sec)
	b.Due(14 * sec)
	if _, known := b.Pod(uid); known {
		t.Error("a pod that never began is kept")
	}
}

func TestWithoutAnAPIServerABirthEndsWithQuiet(t *testing.T) {
	b := newTestBook(true)
	begin(b, sec)
	if due := b.Due(2 * sec); len(due) != 0 {
		t.Errorf("due too soon: %v", due)
	}
	c := closing(4 * sec)
	c.Name = attribution.PodName{UID: uid, Namespace: "ns", Name: "web"}
	if due := b.Due(4 * sec); len(due) != 1 {
		t.Fatal("not due")
	}
	certificate, ok := b.Close(uid, c)
	if !ok || certificate.Spec.Outcome != v1alpha1.OutcomeRunning || certificate.Spec.Complete {
		t.Fatalf("%v %+v", ok, certificate)
	}
	if m := certificate.Spec.Milestones.Containers; len(m) != 1 || m[0].Name != id[:12] {
		t.Errorf("the container is not told by its id: %+v", m)
	}
}

func TestABirthThatNeverGetsReadyEnds(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	b.Tell(running(false), 2*sec)
	if due := b.Due(9 * 60 * sec); len(due) != 0 {
		t.Errorf("due too soon: %v", due)
	}
	s := mustClose(t, b, 11*60*sec)
	if s.Outcome != v1alpha1.OutcomeFailed || s.Milestones.Ready != nil || s.Failure.Step != "Readiness" || s.Failure.Container != "app" {
		t.Errorf("%s, ready %v, failure %+v", s.Outcome, s.Milestones.Ready, s.Failure)
	}
}

func TestAFailureThatGoesOnIsNotComplete(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	p := running(false)
	p.Containers[0].Running, p.Containers[0].WaitingReason = false, "CrashLoopBackOff"
	p.Containers[0].Ended = &Ended{ExitCode: 3}
	b.Tell(p, 2*sec)
	if due := b.Due(3 * sec); len(due) != 0 {
		t.Errorf("over although the kubelet tries again: %v", due)
	}
	if telling := b.Telling(3 * sec); len(telling) != 1 {
		t.Fatal("nothing is told of it")
	}
	c, _ := b.Interim(uid, closing(3*sec))
	s := c.Spec
	if s.Complete || s.FailedAttempts != 1 || s.Failure == nil || s.Failure.Step != "Entrypoint" || s.Failure.ExitCode == nil || *s.Failure.ExitCode != 3 {
		t.Errorf("complete %v, %+v", s.Complete, s.Failure)
	}
}

func TestNamesFitKubernetes(t *testing.T) {
	if n := Name(strings.Repeat("a", 253), uid, 1); len(n) > 253 || !strings.HasSuffix(n, "-"+uid[:8]) {
		t.Errorf("%d characters: %s", len(n), n)
	}
	if n := Name(strings.Repeat("a", 253), uid, 12); len(n) > 253 || !strings.HasSuffix(n, "-"+uid[:8]+"-12") {
		t.Errorf("%d characters: %s", len(n), n)
	}
	if n := Name(strings.Repeat("a", 243)+"."+strings.Repeat("b", 9), uid, 1); strings.Contains(n, ".-") {
		t.Error(n)
	}
	if n := Name("p", "short", 1); n != "p-short" {
		t.Error(n)
	}
}

func TestDuration(t *testing.T) {
	for us, want := range map[int64]string{0: "0.0ms", 1_500: "1.5ms", 9_949: "9.9ms", 12_400: "12ms", 999_400: "999ms", 999_600: "1.00s", 1_340_000: "1.34s", 59_990_000: "59.99s", 61_000_000: "1m1s"} {
		if got := Duration(us); got != want {
			t.Errorf("Duration(%d) = %s, want %s", us, got, want)
		}
	}
}

func TestHostileNamesDoNotReachATerminal(t *testing.T) {
	if got := printable("a\x1b[31mb\nc\u009bd é"); got != "a?[31mb?c?d é" {
		t.Errorf("%q", got)
	}
}

// Between Ready and the end of a birth that had failed before, nothing is told.
func TestReadyIsNotToldAsAnAttempt(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	p := running(false)
	p.Containers[0].Running, p.Containers[0].WaitingReason = false, "CrashLoopBackOff"
	p.Containers[0].Ended = &Ended{ExitCode: 3}
	b.Tell(p, 2*sec)
	if telling := b.Telling(3 * sec); len(telling) != 1 {
		t.Fatal("the failure is not told")
	}
	again := running(true)
	again.Containers[0].Restarts = 1
	b.Tell(again, 10*sec)
	if telling := b.Telling(10*sec + 100*ms); len(telling) != 0 {
		t.Error("a birth that is Ready is told as one that goes on")
	}
	if s := mustClose(t, b, 11*sec); s.Outcome != v1alpha1.OutcomeReady || s.FailedAttempts != 1 {
		t.Errorf("outcome %s, %d failed attempts", s.Outcome, s.FailedAttempts)
	}
}

func TestTheOnlyContainerHasItsNameAlsoWhenNobodyTold(t *testing.T) {
	untold := running(false)
	untold.Containers[0].ID = ""
	two := running(false)
	two.Containers = append(two.Containers, Container{Name: "other"})
	two.Containers[0].ID = ""
	for name, c := range map[string]struct {
		pod  Pod
		want string
	}{
		"one container":  {untold, "app"},
		"one of two":     {two, id[:12]},
		"told meanwhile": {running(false), "app"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTestBook(false)
			b.Tell(c.pod, 1)
			begin(b, sec)
			c.pod.Deleted = true
			b.Tell(c.pod, 2*sec)
			spec := mustClose(t, b, 4*sec)
			var got []string
			for _, m := range spec.Milestones.Containers {
				got = append(got, m.Name)
			}
			if len(got) != 1 || got[0] != c.want {
				t.Errorf("containers %q, want %q", got, c.want)
			}
		})
	}
}

func TestAWorkloadThatWaitsForItsCPUDoesNotRest(t *testing.T) {
	left := func(b *Book, at uint64, s event.Stretch) {
		s.Syscall = -1
		b.Stretch(event.Event{Kind: event.OffCPU, Time: at, Session: 7, TID: 71, Workload: true, Stretch: &s})
	}
	b := newTestBook(false)
	b.Tell(running(false), 1)
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	left(b, 2*sec+ms, event.Stretch{Runnable: true})
	for _, at := range []uint64{2*sec + 400*ms, 3 * sec} {
		if b.Resting(uid, 5, at) {
			t.Errorf("rests at %d, and was last seen to be preempted", at)
		}
	}
	left(b, 3*sec+ms, event.Stretch{})
	if b.Resting(uid, 5, 3*sec+100*ms) || !b.Resting(uid, 5, 3*sec+400*ms) {
		t.Error("does not rest although it sleeps and calls nothing")
	}
	left(b, 3*sec+500*ms, event.Stretch{IOWait: true})
	if b.Resting(uid, 5, 3*sec+600*ms) || !b.Resting(uid, 5, 2*sec+300*ms+restMax) {
		t.Error("a workload that never rests is waited for as long as restMax")
	}
}
