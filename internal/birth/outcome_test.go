// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// ended is a pod of a job that has done its work.
func ended(names ...string) Pod {
	p := Pod{UID: uid, Namespace: "ns", Name: "job", Phase: "Succeeded"}
	for i, name := range names {
		p.Containers = append(p.Containers, Container{Name: name, ID: containerOf(i), Runtime: "containerd", Ended: &Ended{Reason: "Completed"}})
	}
	return p
}

func containerOf(i int) string { return fmt.Sprintf("%064x", i+1) }

// runAll lets a runtime make the containers, and execute their entrypoints where
// that is heard.
func runAll(b *Book, n int, heard bool) {
	b.Hear(attribution.Attributed{Event: event.Event{Kind: event.CgroupMkdir, Time: sec, Path: "/kubepods/pod" + uid}, Who: attribution.Identity{PodUID: uid}}, nothingLost)
	for i := range n {
		who := attribution.Identity{PodUID: uid, ContainerID: containerOf(i), Role: event.RoleRuntime, Op: "create"}
		at, session := sec+uint64(i+1)*ms, uint64(i+1)
		b.Hear(attribution.Attributed{Event: event.Event{Kind: event.SessionOpen, Time: at, Session: session, PID: 70, Open: &event.Open{Role: event.RoleRuntime}}, Who: who}, nothingLost)
		if heard {
			b.Hear(attribution.Attributed{Event: event.Event{Kind: event.Exec, Time: at + ms/2, Session: session, PID: 71, Workload: true, File: "/app"}, Who: who}, nothingLost)
		}
	}
}

// That a pod has succeeded is the API server's word: it did not fail because the kernel
// was not heard.
func TestAPodThatHasSucceededDidNotFail(t *testing.T) {
	b := newTestBook(false)
	runAll(b, 1, false)
	b.Tell(ended("app"), 2*sec)
	s := mustClose(t, b, 3*sec)
	if s.Outcome != v1alpha1.OutcomeRunning || s.Failure != nil {
		t.Errorf("outcome %s: %+v", s.Outcome, s.Failure)
	}
	if s.Complete || !strings.Contains(strings.Join(s.Coverage.Missing, "\n"), "the entrypoint of container app") {
		t.Errorf("complete %t, missing %q", s.Complete, s.Coverage.Missing)
	}
}

// A certificate has room for the milestones of some containers only. Those of the others
// were heard as well.
func TestMoreContainersThanThereIsRoomFor(t *testing.T) {
	const n = containersMax + 2
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("c%d", i))
	}
	for _, phase := range []string{"Succeeded", "Running"} {
		b := newTestBook(false)
		runAll(b, n, true)
		p := ended(names...)
		p.Phase, p.Deleted = phase, phase == "Running" // deleted before it was Ready
		b.Tell(p, 2*sec)
		s := mustClose(t, b, 3*sec)
		if len(s.Milestones.Containers) != containersMax {
			t.Errorf("milestones of %d containers", len(s.Milestones.Containers))
		}
		for _, m := range s.Coverage.Missing {
			if strings.Contains(m, "the entrypoint of") {
				t.Errorf("%s: %s is said to be missing", phase, m)
			}
		}
		if s.Complete {
			t.Errorf("%s: complete, and milestones are left out", phase)
		}
	}
}

// A pod that fell, or failed, and is deleted later is told when its end has been read.
func TestWhatEndsAPodHasTimeToArrive(t *testing.T) {
	fallen := running(false)
	failing := running(false)
	failing.Containers[0].Running, failing.Containers[0].WaitingReason = false, "CrashLoopBackOff"
	for name, first := range map[string]Pod{"fell": running(true), "failed": failing} {
		for _, gone := range []bool{false, true} {
			t.Run(fmt.Sprint(name, gone), func(t *testing.T) {
				b := newTestBook(false)
				begin(b, sec)
				b.Tell(first, 2*sec)
				b.Tell(fallen, 3*sec)
				if gone {
					b.Gone(uid, 60*sec)
				} else {
					deleted := fallen
					deleted.Deleted = true
					b.Tell(deleted, 60*sec)
				}
				if due := b.Due(60*sec + 100*ms); len(due) != 0 {
					t.Error("due before what happened at its end can have been heard")
				}
				if due := b.Due(60*sec + 300*ms); len(due) != 1 {
					t.Error("not due")
				}
			})
		}
	}
}

// Where the events of all births together are too many, fewer are kept of each.
func TestWhatIsCutIsToldAsItIs(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	current := b.births[uid]
	b.kept, current.cut = eventsMaxAll, 7
	b.Tell(running(true), 2*sec)
	s := mustClose(t, b, 3*sec)
	if got := strings.Join(s.Coverage.Missing, "\n"); !strings.Contains(got, "7 events beyond the first 3") {
		t.Errorf("%q", got)
	}
}

// One machine may be several nodes, or have another cluster in one of its pods. Of a pod
// that the API server does not tell nothing is written in this cluster, whatever a
// network plugin was told that it is called; nor does everybody's every system call cost
// more until its time is up.
func TestAPodOfAnotherNodeOfTheMachine(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	if !b.Expecting(20*sec) || b.Expecting(sec+untoldFor+ms) {
		t.Errorf("its system calls are heard after 20 s: %t, after 30 s: %t", b.Expecting(20*sec), b.Expecting(sec+untoldFor+ms))
	}
	late := newTestBook(false)
	begin(late, sec)
	late.Tell(running(false), 60*sec)
	if !late.Expecting(61 * sec) {
		t.Error("the system calls of one that is told late are not heard")
	}
	if due := b.Due(11 * 60 * sec); len(due) != 1 {
		t.Fatal("it is followed for ever")
	}
	c := closing(11 * 60 * sec)
	c.Name = attribution.PodName{UID: uid, Namespace: "kube-system", Name: "dns"}
	if certificate, ok := b.Close(uid, c); ok {
		t.Errorf("%s of a pod of nobody knows whom", certificate.Name)
	}
}
