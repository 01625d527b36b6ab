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
		return w.failureOf(c, w.deathOf(c), stepName)
	}
	if p := w.seen.pod; p.Phase == "Failed" && word(p.Reason) != "" {
		return &v1alpha1.BirthFailure{
			Step: "Pod", Actor: v1alpha1.ActorKubelet, Reason: word(p.Reason), Message: cut(printable(p.Message), messageMax),
		}
	}
	heard := attemptsOf(w.birth.events, w.seen)
	for _, c := range w.seen.pod.Containers {
		if a := heard[c.Name]; a != nil && (a.last.failed || !w.final && a.failed > 0) {
			d := w.deathOf(c)
			return w.failureOf(c, d, d.step())
		}
	}
	if a := heard[""]; a != nil && (a.last.failed || !w.final && a.failed > 0) {
		d := w.heardOf(a.lastFailed.id)
		return w.failureOf(w.unnamed(), d, d.step())
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

// failureOf is the failure of one container, which died at that step as far as the API
// server tells.
func (w *writer) failureOf(c Container, d death, stepName string) *v1alpha1.BirthFailure {
	f := &v1alpha1.BirthFailure{
		Step: stepName, Actor: actorOfStep(stepName), Container: c.Name,
		Reason: word(c.WaitingReason), Message: cut(printable(c.Message), messageMax),
	}
	if d.said != nil {
		addTermination(f, d)
	}
	addEnd(f, d)
	w.addErrno(f, d)
	w.addOutOfMemory(f, d.id)
	w.addKiller(f)
	switch f.Reason {
	case "OOMKilled":
		f.Actor = v1alpha1.ActorKernel
	case "ErrImageNeverPull", "InvalidImageName":
		f.Actor = v1alpha1.ActorKubelet // nobody was asked for the image
	}
	if c.Init && f.Step == "Entrypoint" && d.executed() {
		f.Step = "InitContainer"
	}
	return f
}

// addTermination adds what the runtime says of how the container ended: that it
// waits to be started again says less.
func addTermination(f *v1alpha1.BirthFailure, d death) {
	ended := d.said
	if ended.Message != "" && (f.Message == "" || f.Reason == "CrashLoopBackOff") {
		f.Message = cut(printable(ended.Message), messageMax)
	}
	if f.Reason == "" || f.Reason == "CrashLoopBackOff" && ended.Reason != "Error" {
		f.Reason = word(ended.Reason)
	}
	if neverStarted[ended.Reason] {
		f.Step, f.Actor = d.runtimeStep(), v1alpha1.ActorRuntime
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

// addEnd adds how the process of the attempt's entrypoint ended.
func addEnd(f *v1alpha1.BirthFailure, d death) {
	for _, s := range d.steps {
		if s.entrypointExit == 0 {
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
func (w *writer) addOutOfMemory(f *v1alpha1.BirthFailure, id string) {
	for _, e := range w.birth.events {
		its := id != "" && e.Who.ContainerID == id
		if e.Kind == event.OutOfMemory && (its || f.Step == "Sandbox" && e.Who.Sandbox) {
			f.Reason, f.Actor = "OOMKilled", v1alpha1.ActorKernel
		}
	}
}
