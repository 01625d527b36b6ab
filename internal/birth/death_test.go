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

// The deaths of real containers are tested from recordings, in internal/observer.

var (
	noProgram = &Ended{ExitCode: 128, Reason: "StartError", Message: `unable to start container process: exec: "/no": stat /no: no such file or directory`}
	noMount   = &Ended{ExitCode: 128, Reason: "StartError", Message: "error mounting /a: not a directory"}
	exited    = &Ended{ExitCode: 3, Reason: "Error"}
)

// hearAttempt lets a runtime create a container, and what follows.
func hearAttempt(b *Book, container string, session, at uint64, deeds ...event.Event) {
	who := attribution.Identity{PodUID: uid, ContainerID: container, Role: event.RoleRuntime, Op: "create"}
	open := event.Event{Kind: event.SessionOpen, File: "/usr/bin/runc", Open: &event.Open{Role: event.RoleRuntime}}
	for i, e := range append([]event.Event{open}, deeds...) {
		e.PID = uint32(session) //nolint:gosec // small
		if e.Workload {
			e.PID++
		}
		e.Session, e.Time = session, at+uint64(i)*ms //nolint:gosec // small
		b.Hear(attribution.Attributed{Event: e, Who: who}, nothingLost)
	}
}

// crashing is a container that waits to be started again.
func crashing(container string, restarts int32, last *Ended) Pod {
	p := running(false)
	p.Containers[0] = Container{Name: "app", ID: container, WaitingReason: "CrashLoopBackOff", Message: "back-off", Restarts: restarts, Ended: last}
	return p
}

// runsAgain is one that was started again.
func runsAgain(container string, restarts int32, last *Ended) Pod {
	p := running(false)
	p.Containers[0].ID, p.Containers[0].Restarts, p.Containers[0].Before = container, restarts, last
	return p
}

// A later attempt that dies in another way is told as what it was, and not by what the
// first one did.
func TestTheLatestDeathIsTold(t *testing.T) {
	second := strings.Repeat("ef", 32)
	refused := event.Event{Kind: event.ExecFailed, File: "/app", Value: int64(unix.ENOEXEC)}
	gaveUp := event.Event{Kind: event.Exit, Value: 1 << 8}
	for name, c := range map[string]struct {
		deeds       []event.Event
		said        *Ended
		step, errno string
	}{
		"refused by the kernel":       {[]event.Event{refused, gaveUp}, exited, "Entrypoint", "ENOEXEC"},
		"a mount that does not fit":   {[]event.Event{gaveUp}, noMount, "ContainerCreate", "ENOTDIR"},
		"a program that is not there": {[]event.Event{gaveUp}, noProgram, "Entrypoint", "ENOENT"},
	} {
		b := newTestBook(false)
		begin(b, sec)
		b.Tell(running(false), sec+5*ms)
		ends(b, 3<<8, 2*sec)
		hearAttempt(b, second, 9, 12*sec, c.deeds...)
		b.Tell(crashing(second, 1, c.said), 13*sec)
		w, _ := b.Interim(uid, closing(14*sec))
		f, a := w.Spec.Failure, w.Spec.Attempts
		if f == nil || f.Step != c.step || f.Errno != c.errno || f.Signal != "" || len(a) != 1 || a[0].Step != c.step || a[0].Failed != 2 {
			t.Errorf("%s: failure %+v, attempts %+v", name, f, a)
		}
	}
}

// That the container runs again takes nothing back of why it did not before.
func TestAnAttemptKeepsItsStep(t *testing.T) {
	gaveUp := event.Event{Kind: event.Exit, Value: 1 << 8}
	b := newTestBook(false)
	b.Tell(waiting("", ""), sec)
	sandboxOnly(b, sec)
	hearAttempt(b, id, 9, 2*sec, gaveUp)
	b.Tell(crashing(id, 0, noProgram), 3*sec)
	w, _ := b.Interim(uid, closing(4*sec))
	again := strings.Repeat("ef", 32)
	hearAttempt(b, again, 10, 12*sec, event.Event{Kind: event.Exec, Workload: true, File: "/app"})
	b.Tell(runsAgain(again, 1, noProgram), 13*sec)
	later, _ := b.Interim(uid, closing(14*sec))
	if f := w.Spec.Failure; f == nil || f.Step != "Entrypoint" || w.Spec.Attempts[0].Step != f.Step {
		t.Errorf("failure %+v, attempts %+v", f, w.Spec.Attempts)
	}
	if s := later.Spec; s.Outcome != v1alpha1.OutcomePending || len(s.Attempts) != 1 || s.Attempts[0].Step != "Entrypoint" || s.Attempts[0].Reason != "StartError" {
		t.Errorf("once it runs: %s, %+v", s.Outcome, s.Attempts)
	}
}

// Of attempts that the kernel did not tell of, the kubelet's word is taken, and nothing is
// said of how they ended where it has none.
func TestAttemptsThatOnlyTheKubeletTells(t *testing.T) {
	other := strings.Repeat("ef", 32)
	unpullable := crashing(other, 1, noProgram)
	unpullable.Containers[0].WaitingReason, unpullable.Containers[0].Message = "ErrImagePull", "gone"
	for name, c := range map[string]struct {
		told Pod
		want string
	}{
		"it ended":                           {runsAgain(other, 1, exited), "Entrypoint"},
		"it ended, and waits":                {crashing(other, 1, exited), "Entrypoint"},
		"a program that is not there":        {runsAgain(other, 1, noProgram), "Entrypoint"},
		"it could not be started":            {crashing(other, 1, noMount), "ContainerStart"},
		"one before that which runs":         {runsAgain(id, 1, noMount), "ContainerStart"},
		"only that it was started once more": {runsAgain(other, 1, nil), ""},
		"its image cannot be had by now":     {unpullable, "Entrypoint"},
	} {
		for heard, begins := range map[string]func(*Book){
			"nothing":         sandboxOnlyAtOnce,
			"another attempt": func(b *Book) { begin(b, sec); b.Tell(running(false), 2*sec) },
		} {
			b := newTestBook(false)
			b.Tell(waiting("", ""), sec)
			begins(b)
			b.Tell(c.told, 3*sec)
			w, _ := b.Interim(uid, closing(4*sec))
			found := false
			for _, a := range w.Spec.Attempts {
				if a.Step != "ImagePull" {
					found = true
					if a.Step != c.want || a.Container != "app" {
						t.Errorf("%s, heard %s: %+v, want %q", name, heard, a, c.want)
					}
				}
			}
			if !found {
				t.Errorf("%s, heard %s: no attempt in %+v", name, heard, w.Spec.Attempts)
			}
		}
	}
}

func sandboxOnlyAtOnce(b *Book) { sandboxOnly(b, sec) }

// What the kubelet killed for a probe did not die at its entrypoint.
func TestAttemptsThatTheKubeletEnded(t *testing.T) {
	b := killedByTheKubelet(unix.SIGKILL)
	b.Said(uid, []Remark{{Reason: "Killing", Container: "app", Message: "Container app failed startup probe, will be restarted", Time: at(3)}})
	w, _ := b.Interim(uid, closing(10*sec))
	if f, a := w.Spec.Failure, w.Spec.Attempts; f == nil || f.Step != "Readiness" || len(a) != 1 || a[0].Step != f.Step {
		t.Errorf("failure %+v, attempts %+v", f, a)
	}
}

// Of sandboxes the latest that was given up is told: the first had no network, the second
// lost its own process.
func TestTheLatestSandboxIsTold(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	b.Tell(running(false), sec+5*ms)
	first := attribution.Identity{PodUID: uid, ContainerID: strings.Repeat("01", 32), Sandbox: true, Role: event.RoleCNI, Op: "ADD"}
	for i, e := range []event.Event{
		{Kind: event.SessionOpen, File: "/opt/cni/bin/bridge", Open: &event.Open{Role: event.RoleCNI}}, {Kind: event.Exit, Value: 1 << 8},
	} {
		e.Session, e.PID, e.Time = 100, 1, 2*sec+uint64(i)*ms //nolint:gosec // small
		b.Hear(attribution.Attributed{Event: e, Who: first}, nothingLost)
	}
	for i, want := range []string{"Network", "Sandbox"} {
		sandboxThatEnds(b, strings.Repeat(string(rune('2'+i)), 64), uint64(200+100*i), uint64(4+2*i)*sec) //nolint:gosec // small
		w, _ := b.Interim(uid, closing(9*sec))
		if a := w.Spec.Attempts; len(a) != 1 || a[0].Step != want || a[0].Failed != int32(i+1) || a[0].Container != v1alpha1.SandboxContainer { //nolint:gosec // small
			t.Errorf("%+v, want %s", a, want)
		}
	}
}
