// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// unfinished is the failure of a birth that was broken off, or that stands
// still: the pod was deleted, or the time is up.
func (w *writer) unfinished() *v1alpha1.BirthFailure {
	f := w.failedStep()
	if f == nil {
		f = w.lastStep()
	}
	w.addWarning(f)
	if f.Step == "Sandbox" && f.Actor == v1alpha1.ActorRuntime {
		f.Errno = errnoIn(f.Message)
		w.addOutOfMemory(f, "")
	}
	switch {
	case w.seen.pod.Deleted:
		f.Message = join("the pod was deleted before it was Ready", f.Message)
	case w.final && f.Message == "":
		f.Message = "the pod was not Ready in time"
	}
	f.Message = cut(f.Message, messageMax)
	return f
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}

// addWarning takes what the kubelet said last about the step, or about what
// keeps the kernel from hearing of a first one.
func (w *writer) addWarning(f *v1alpha1.BirthFailure) {
	if len(w.steps) == 0 {
		if r, step, ok := w.seen.hindrance(w.config.Wall(w.birth.last)); ok {
			f.Step, f.Actor = step, r.actor()
			f.Reason, f.Message = word(r.Reason), printable(r.Message)
		}
		return
	}
	steps := []string{f.Step}
	if f.Step == "Network" {
		steps = append(steps, "Sandbox") // the kubelet knows the sandbox only
	}
	if r, _, ok := w.seen.warning(steps...); ok && (r.Container == "" || r.Container == f.Container) {
		f.Reason, f.Message = word(r.Reason), printable(r.Message)
	}
}

// failedStep is the sandbox's or its network's step whose process failed last;
// nil if what was done last succeeded.
func (w *writer) failedStep() *v1alpha1.BirthFailure {
	failed := w.failedProcess("")
	if failed == nil {
		return nil
	}
	f := &v1alpha1.BirthFailure{Step: "Network", Actor: v1alpha1.ActorCNI, File: failed.file}
	if failed.role == event.RoleRuntime {
		f.Step, f.Actor = "Sandbox", v1alpha1.ActorRuntime
	}
	if status := unix.WaitStatus(failed.status); status.Signaled() {
		f.Signal = unix.SignalName(status.Signal())
	} else {
		code := int32(status.ExitStatus())
		f.ExitCode = &code
	}
	return f
}

// failedProcess is the process of a sandbox or its network that failed last, nil if what
// was done last succeeded: of that sandbox, or of any where the id is empty.
func (w *writer) failedProcess(sandbox string) *step {
	var failed *step
	for _, s := range w.steps {
		its := s.role == event.RoleCNI || s.role == event.RoleRuntime && s.who.Sandbox
		if !its || s.exited == 0 || sandbox != "" && s.who.ContainerID != sandbox {
			continue
		}
		if s.status != 0 && (failed == nil || s.parent != failed.id) {
			failed = s
		}
		if s.role == event.RoleRuntime && s.status == 0 {
			failed = nil
		}
	}
	return failed
}

// lastStep names the step that was under way.
func (w *writer) lastStep() *v1alpha1.BirthFailure {
	if len(w.steps) == 0 {
		return &v1alpha1.BirthFailure{Step: "Sandbox", Actor: v1alpha1.ActorKubelet}
	}
	last := w.steps[len(w.steps)-1]
	switch {
	case last.role == event.RoleCNI && last.exited == 0:
		return &v1alpha1.BirthFailure{Step: "Network", Actor: v1alpha1.ActorCNI, File: last.file}
	case last.role != event.RoleRuntime, last.who.Sandbox && !w.executed(v1alpha1.SandboxContainer):
		return &v1alpha1.BirthFailure{Step: "Sandbox", Actor: v1alpha1.ActorRuntime}
	case last.who.Sandbox:
		return w.nextContainer()
	}
	name := w.container(last.who)
	if !w.runsWorkload(last.who.ContainerID) {
		return &v1alpha1.BirthFailure{Step: "ContainerCreate", Actor: v1alpha1.ActorRuntime, Container: name}
	}
	if c, ok := w.seen.pod.container(name); ok && c.Init {
		if last.entrypointExit != 0 {
			return w.nextContainer()
		}
		return &v1alpha1.BirthFailure{Step: "InitContainer", Actor: v1alpha1.ActorWorkload, Container: name}
	}
	return &v1alpha1.BirthFailure{Step: "Readiness", Actor: v1alpha1.ActorKubelet, Container: w.unready(name)}
}

// nextContainer is the step that follows what was done last: the kubelet has
// not asked for the next container yet, or has its image pulled.
func (w *writer) nextContainer() *v1alpha1.BirthFailure {
	f := &v1alpha1.BirthFailure{Step: "ContainerCreate", Actor: v1alpha1.ActorKubelet}
	for _, c := range w.seen.pod.Containers {
		if !w.executed(c.Name) {
			f.Container = c.Name
			break
		}
	}
	if w.seen.pulls(f.Container) {
		f.Step, f.Actor = "ImagePull", v1alpha1.ActorRuntime
	}
	return f
}

// unready is the first container that was never seen ready, or the one given.
func (w *writer) unready(name string) string {
	for _, c := range w.seen.pod.Containers {
		if !c.Init && w.seen.readyAt[c.Name] == 0 {
			return c.Name
		}
	}
	return name
}
