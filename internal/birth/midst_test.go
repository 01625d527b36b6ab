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

// underWay is a pod whose init container runs when somebody begins to listen.
func underWay() Pod {
	p := running(false)
	p.Created = epoch.Add(-20 * time.Second)
	p.Containers = append([]Container{{Name: "first", ID: strings.Repeat("cd", 32), Init: true, Running: true}}, p.Containers...)
	return p
}

func TestABirthThatWasUnderWay(t *testing.T) {
	b := newTestBook(false)
	b.Tell(underWay(), sec)
	if !b.BeginLate(uid, sec+10*ms, Totals{}) || b.BeginLate(uid, sec+10*ms, Totals{}) {
		t.Fatal("it is not followed, or twice")
	}
	app := attribution.Identity{PodUID: uid, ContainerID: id, Role: event.RoleRuntime, Op: "create"}
	for i, e := range []event.Event{
		{Kind: event.SessionOpen, Session: 7, PID: 70, File: "/usr/bin/runc", Open: &event.Open{Role: event.RoleRuntime}},
		{Kind: event.Exec, Session: 7, PID: 71, Workload: true, File: "/app"},
	} {
		e.Time = 2*sec + uint64(i)*ms
		b.Hear(attribution.Attributed{Event: e, Who: app}, nothingLost)
	}
	ready := underWay()
	ready.Ready, ready.Containers[0].Running, ready.Containers[0].Ended = true, false, &Ended{}
	b.Tell(ready, 3*sec)
	s := mustClose(t, b, 4*sec)
	if s.Complete || s.Outcome != v1alpha1.OutcomeReady || s.Milestones.SandboxCgroupCreated != nil || s.Milestones.Scheduled != nil {
		t.Errorf("complete %t, outcome %s, milestones %+v", s.Complete, s.Outcome, s.Milestones)
	}
	missing := strings.Join(s.Coverage.Missing, "\n")
	for _, want := range []string{"the birth was under way when its node began to be heard", "the entrypoint of container first"} {
		if !strings.Contains(missing, want) {
			t.Errorf("missing %q, want that %s", s.Coverage.Missing, want)
		}
	}
	if len(s.Milestones.Containers) != 1 || s.Milestones.Containers[0].EntrypointExec == nil {
		t.Errorf("what was heard is not told: %+v", s.Milestones.Containers)
	}
}

// The making of its cgroup had only been on its way.
func TestABirthWhoseBeginningComesLate(t *testing.T) {
	b := newTestBook(false)
	b.Tell(underWay(), sec)
	b.BeginLate(uid, sec+10*ms, Totals{})
	begin(b, sec+5*ms)
	ready := underWay()
	ready.Ready = true
	b.Tell(ready, 2*sec)
	if s := mustClose(t, b, 3*sec); s.Milestones.SandboxCgroupCreated == nil || strings.Contains(strings.Join(s.Coverage.Missing, "\n"), "under way") {
		t.Errorf("milestones %+v, missing %q", s.Milestones, s.Coverage.Missing)
	}
}

func TestPodsThatAreNoLongerBorn(t *testing.T) {
	for name, change := range map[string]func(*Pod){
		"ready":     func(p *Pod) { p.Ready = true },
		"old":       func(p *Pod) { p.Created = epoch.Add(-time.Hour) },
		"restarted": func(p *Pod) { p.Containers[1].Restarts = 1 },
		"failing":   func(p *Pod) { p.Containers[1].WaitingReason = "ErrImagePull" },
		"over":      func(p *Pod) { p.Phase = "Succeeded" },
		"opted out": func(p *Pod) { p.OptedOut = true },
	} {
		b := newTestBook(false)
		p := underWay()
		change(&p)
		b.Tell(p, sec)
		if b.BeginLate(uid, 2*sec, Totals{}) {
			t.Errorf("%s: it is followed", name)
		}
	}
	if newTestBook(false).BeginLate(uid, sec, Totals{}) {
		t.Error("a pod that nobody told of is followed")
	}
}
