// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"regexp"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const messageMax = 512

// failure says at which step the birth died: as the API server names it, as the
// kernel saw a process end, or by the last step that was under way.
func (w *writer) failure() *v1alpha1.BirthFailure {
	if c, stepName, ok := w.seen.pod.failing(); ok && c.Name != "" {
		return w.failureOf(c, stepName)
	}
	if p := w.seen.pod; p.Phase == "Failed" && word(p.Reason) != "" {
		return &v1alpha1.BirthFailure{
			Step: "Pod", Actor: v1alpha1.ActorKubelet, Reason: word(p.Reason), Message: cut(printable(p.Message), messageMax),
		}
	}
	for _, c := range w.seen.pod.Containers {
		if a := attemptsOf(w.birth.events, w.seen)[c.Name]; a != nil && (a.last.failed || !w.final && a.failed > 0) {
			return w.failureOf(c, w.stepOf(c))
		}
	}
	if a := attemptsOf(w.birth.events, w.seen)[""]; a != nil && (a.last.failed || !w.final && a.failed > 0) {
		return w.failureOf(w.unnamed(), w.runtimeStep(""))
	}
	return w.unfinished()
}

// unnamed is the only container that the API server has not told the id of, or
// none: whose attempt it was is not known yet.
func (w *writer) unnamed() Container {
	var found []Container
	for _, c := range w.seen.pod.Containers {
		if c.ID == "" {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return Container{}
	}
	return found[0]
}

// failureOf is the failure of one container.
func (w *writer) failureOf(c Container, stepName string) *v1alpha1.BirthFailure {
	f := &v1alpha1.BirthFailure{
		Step: stepName, Actor: actorOfStep(stepName), Container: c.Name,
		Reason: word(c.WaitingReason), Message: cut(printable(c.Message), messageMax),
	}
	if c.Ended != nil {
		w.addTermination(f, c.Ended)
	}
	w.addEnd(f)
	w.addErrno(f)
	w.addOutOfMemory(f)
	switch f.Reason {
	case "OOMKilled":
		f.Actor = v1alpha1.ActorKernel
	case "ErrImageNeverPull", "InvalidImageName":
		f.Actor = v1alpha1.ActorKubelet // nobody was asked for the image
	}
	if c.Init && f.Step == "Entrypoint" && w.executed(c.Name) {
		f.Step = "InitContainer"
	}
	return f
}

// addTermination adds what the runtime says of how the container ended: that it
// waits to be started again says less.
func (w *writer) addTermination(f *v1alpha1.BirthFailure, ended *Ended) {
	if ended.Message != "" && (f.Message == "" || f.Reason == "CrashLoopBackOff") {
		f.Message = cut(printable(ended.Message), messageMax)
	}
	if f.Reason == "" || f.Reason == "CrashLoopBackOff" && ended.Reason != "Error" {
		f.Reason = word(ended.Reason)
	}
	if neverStarted[ended.Reason] {
		f.Step, f.Actor = w.runtimeStep(f.Container), v1alpha1.ActorRuntime
		return // the exit code is the runtime's invention: there was no process
	}
	if ended.Signal == 0 {
		code := ended.ExitCode
		f.ExitCode = &code
	}
}

// neverStarted are the runtimes' reasons for a container whose entrypoint was
// not executed.
var neverStarted = map[string]bool{"StartError": true, "ContainerCannotRun": true}

// runtimeStep is what the runtime did last for a container that has no entrypoint.
func (w *writer) runtimeStep(container string) string {
	name := "ContainerCreate"
	for _, s := range w.steps {
		if s.role == event.RoleRuntime && s.who.Op == "start" && w.container(s.who) == container {
			name = "ContainerStart"
		}
	}
	return name
}

// stepOf is how far a container got whose failure only the kernel has told.
func (w *writer) stepOf(c Container) string {
	for _, s := range w.steps {
		if w.container(s.who) == c.Name && s.entrypoint != 0 {
			return "Entrypoint"
		}
	}
	return "ContainerCreate"
}

func actorOfStep(name string) v1alpha1.Actor {
	switch name {
	case "Entrypoint":
		return v1alpha1.ActorWorkload
	case "ContainerStart", "ContainerCreate", "ImagePull":
		return v1alpha1.ActorRuntime
	}
	return v1alpha1.ActorKubelet
}

// word is a reason of the API where it is one word, and nothing otherwise.
func word(reason string) string {
	if !reasonWord.MatchString(reason) {
		return ""
	}
	return reason
}

var reasonWord = regexp.MustCompile(`^[A-Z][A-Za-z]{1,39}$`)

// executed is true if the kernel executed an entrypoint of the container.
func (w *writer) executed(container string) bool {
	for _, s := range w.steps {
		if s.entrypoint != 0 && w.container(s.who) == container {
			return true
		}
	}
	return false
}

// addEnd adds how the process of the container's latest entrypoint ended.
func (w *writer) addEnd(f *v1alpha1.BirthFailure) {
	for _, s := range w.steps {
		if s.entrypointExit == 0 || w.container(s.who) != f.Container || f.Container == "" {
			continue
		}
		status := unix.WaitStatus(s.entrypointStatus)
		if status.Signaled() {
			f.Signal, f.ExitCode = unix.SignalName(status.Signal()), nil
			continue
		}
		code := int32(status.ExitStatus())
		f.Signal, f.ExitCode = "", &code
	}
}

// addOutOfMemory says that the kernel killed a process of the container, or of
// the runtime inside the container's limit, for want of memory.
func (w *writer) addOutOfMemory(f *v1alpha1.BirthFailure) {
	for _, e := range w.birth.events {
		name := w.container(e.Who)
		if e.Kind == event.OutOfMemory && (name == f.Container || f.Step == "Sandbox" && e.Who.Sandbox) {
			f.Reason, f.Actor = "OOMKilled", v1alpha1.ActorKernel
		}
	}
}

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
		w.addOutOfMemory(f)
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
	var failed *step
	for _, s := range w.steps {
		sandbox := s.role == event.RoleCNI || s.role == event.RoleRuntime && s.who.Sandbox
		if !sandbox || s.exited == 0 {
			continue
		}
		if s.status != 0 && (failed == nil || s.parent != failed.id) {
			failed = s
		}
		if s.role == event.RoleRuntime && s.status == 0 {
			failed = nil
		}
	}
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

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 { // not inside a character
		n--
	}
	return s[:n]
}
