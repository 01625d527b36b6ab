// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"maps"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func TestRunsAreNotCountedTwice(t *testing.T) {
	const sandbox = v1alpha1.SandboxContainer
	for name, c := range map[string]struct {
		heard    map[string]int32
		restarts int32
		backOff  bool
		said     int32
		want     map[string]int32
	}{
		"nothing":                             {},
		"the kernel heard more":               {heard: map[string]int32{"app": 2}, restarts: 1, want: map[string]int32{"app": 2}},
		"the kubelet counted more":            {heard: map[string]int32{"app": 1}, restarts: 3, want: map[string]int32{"app": 3}},
		"it waits for the next":               {restarts: 2, backOff: true, want: map[string]int32{"app": 3}},
		"one without a name is counted":       {heard: map[string]int32{"": 1, "app": 1}, restarts: 2, want: map[string]int32{"app": 2}},
		"one without a name, not counted yet": {heard: map[string]int32{"": 2}, restarts: 1, want: map[string]int32{"app": 1, "": 1}},
		"sandboxes are their own":             {heard: map[string]int32{sandbox: 2, "": 1}, restarts: 1, want: map[string]int32{sandbox: 2, "app": 1}},
		"sandboxes that nobody heard":         {heard: map[string]int32{sandbox: 1}, said: 3, want: map[string]int32{sandbox: 3}},
	} {
		s := newSeen(running(false), 0)
		s.pod.Containers[0].Restarts = c.restarts
		if c.backOff {
			s.pod.Containers[0].WaitingReason = "CrashLoopBackOff"
		}
		if c.said > 0 {
			s.remarks = []Remark{{Reason: sandboxFailed, Count: c.said}}
		}
		heard := map[string]*attempts{}
		for n, failed := range c.heard {
			heard[n] = &attempts{failed: failed}
		}
		if got := runsOf(heard, s); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// A container that crashed and runs again is neither failed nor done.
func TestABirthThatGoesOnAfterAFailure(t *testing.T) {
	b := newTestBook(false)
	b.Tell(waiting("", ""), sec)
	begin(b, sec)
	ends(b, 3<<8, 2*sec)
	again := strings.Repeat("ef", 32)
	who := attribution.Identity{PodUID: uid, ContainerID: again, Role: event.RoleRuntime, Op: "create"}
	for i, e := range []event.Event{
		{Kind: event.SessionOpen, Session: 9, PID: 90, File: "/usr/bin/runc", Open: &event.Open{Role: event.RoleRuntime}},
		{Kind: event.Exec, Session: 9, PID: 91, Workload: true, File: "/app"},
	} {
		e.Time = 12*sec + uint64(i)*ms //nolint:gosec // small
		b.Hear(attribution.Attributed{Event: e, Who: who}, nothingLost)
	}
	p := running(false)
	b.Tell(p, 2*sec) // the first id
	p.Containers = []Container{{Name: "app", ID: again, Runtime: "containerd", Running: true, Restarts: 1, Ended: &Ended{ExitCode: 3, Reason: "Error"}}}
	b.Tell(p, 13*sec)
	c, _ := b.Interim(uid, closing(14*sec))
	s := c.Spec
	if s.Outcome != v1alpha1.OutcomePending || !s.UnderWay || s.Failure != nil || s.FailedAttempts != 1 || len(s.Attempts) != 1 {
		t.Fatalf("%s, %+v, %+v", s.Outcome, s.Failure, s.Attempts)
	}
	if a := s.Attempts[0]; a.Step != "Entrypoint" || a.Container != "app" || a.Reason != "Error" || a.LastFailed == nil || a.LastFailed.OffsetMicroseconds != 1_000_000 {
		t.Errorf("%+v, last %+v", a, a.LastFailed)
	}
	if s.Coverage.Missing[0] != "what comes after 13.00s: the birth goes on" {
		t.Errorf("missing %q", s.Coverage.Missing)
	}
	var retry *v1alpha1.Phase
	for i, p := range s.Phases {
		if p.Name == "ContainerRetry" {
			retry = &s.Phases[i]
		}
	}
	if retry == nil || retry.StartMicroseconds != 1_000_000 || retry.DurationMicroseconds != 10_000_000 {
		t.Errorf("retry %+v of %+v", retry, s.Phases)
	}
}

// Each sandbox has a network of its own; between two the kubelet tried again.
func TestTheNetworkOfTwoSandboxes(t *testing.T) {
	b := newTestBook(false)
	b.Tell(waiting("", ""), sec)
	begin(b, sec)
	for i, sandbox := range []string{strings.Repeat("01", 32), strings.Repeat("02", 32)} {
		who := attribution.Identity{PodUID: uid, ContainerID: sandbox, Sandbox: true, Role: event.RoleCNI, Op: "ADD"}
		session, at := uint64(100+i), uint64(2+10*i)*sec //nolint:gosec // small
		for j, e := range []event.Event{
			{Kind: event.SessionOpen, PID: 1, File: "/opt/cni/bin/bridge", Open: &event.Open{Role: event.RoleCNI}},
			{Kind: event.Exit, PID: 1, Value: int64(1-i) << 8},
		} {
			e.Session, e.Time = session, at+uint64(j)*100*ms //nolint:gosec // small
			b.Hear(attribution.Attributed{Event: e, Who: who}, nothingLost)
		}
	}
	c, _ := b.Interim(uid, closing(14*sec))
	var got []int64
	for _, p := range c.Spec.Phases {
		if p.Name == "Network" || p.Name == "SandboxRetry" {
			got = append(got, p.StartMicroseconds, p.DurationMicroseconds)
		}
	}
	want := []int64{1_000_000, 100_000, 1_100_000, 9_900_000, 11_000_000, 100_000}
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got, want)
			break
		}
	}
	if n := c.Spec.FailedAttempts; n != 1 || c.Spec.Attempts[0].Step != "Network" {
		t.Errorf("%d failed attempts, %+v", n, c.Spec.Attempts)
	}
}
