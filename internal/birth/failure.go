// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const messageMax = 512

// failure says at which step the birth died: as the API server names it, or by
// the last step that was under way.
func (w *writer) failure() *v1alpha1.BirthFailure {
	pod := w.seen.pod
	c, stepName, ok := pod.failing()
	if !ok {
		if f := w.refusal(); f != nil {
			return f
		}
		return w.unfinished()
	}
	f := &v1alpha1.BirthFailure{Step: stepName, Actor: v1alpha1.ActorKubelet, Container: c.Name, Message: cut(c.Message, messageMax)}
	switch stepName {
	case "Entrypoint":
		f.Actor = v1alpha1.ActorWorkload
	case "ContainerStart", "ContainerCreate", "ImagePull":
		f.Actor = v1alpha1.ActorRuntime
	}
	if c.Ended != nil {
		if f.Message == "" {
			f.Message = cut(c.Ended.Message, messageMax)
		}
		if c.Ended.Signal == 0 {
			f.ExitCode = &c.Ended.ExitCode
		}
	}
	w.addErrno(f, c.ID)
	w.addSignal(f, c.ID)
	return f
}

// refusal is the failure of a container whose entrypoint the kernel refused to
// execute. The kubelet may have called such a pod Ready: for the runtime the
// container was started, and only then it ended.
func (w *writer) refusal() *v1alpha1.BirthFailure {
	refused := w.refused()
	if len(refused) == 0 {
		return nil
	}
	name := slices.Min(slices.Collect(maps.Keys(refused)))
	return &v1alpha1.BirthFailure{
		Step: "Entrypoint", Actor: v1alpha1.ActorRuntime, Container: name, Errno: refused[name],
		Message: "the kernel refused to execute the entrypoint",
	}
}

// refused are the containers whose entrypoint the kernel refused, with the
// errno. A runtime may try several files: one that it could execute counts.
func (w *writer) refused() map[string]string {
	errnos := map[string]string{}
	for _, e := range w.birth.events {
		name := w.container(e.Who)
		switch {
		case name == "":
		case e.Kind == event.ExecFailed && !e.Workload:
			errnos[name] = unix.ErrnoName(unix.Errno(e.Value))
		case e.Kind == event.Exec && e.Workload:
			delete(errnos, name)
		}
	}
	return errnos
}

// addErrno adds the errno with which the kernel refused the entrypoint.
func (w *writer) addErrno(f *v1alpha1.BirthFailure, id string) {
	for _, e := range w.birth.events {
		if e.Kind == event.ExecFailed && !e.Workload && e.Who.ContainerID == id && id != "" {
			f.Errno = unix.ErrnoName(unix.Errno(e.Value))
			f.Step, f.Actor = "Entrypoint", v1alpha1.ActorRuntime
		}
	}
}

// addSignal adds the signal that killed the entrypoint's process.
func (w *writer) addSignal(f *v1alpha1.BirthFailure, id string) {
	for _, s := range w.steps {
		if s.who.ContainerID != id || id == "" || s.entrypointPID == 0 {
			continue
		}
		for _, e := range w.birth.events {
			if e.Kind == event.Exit && e.PID == s.entrypointPID && unix.WaitStatus(e.Value).Signaled() {
				f.Signal = unix.SignalName(unix.WaitStatus(e.Value).Signal())
				f.ExitCode = nil
			}
		}
	}
}

// unfinished is the failure of a birth that was broken off: the pod was
// deleted, or the time was up.
func (w *writer) unfinished() *v1alpha1.BirthFailure {
	f := w.lastStep()
	f.Message = "the pod was not Ready in time"
	if w.seen.pod.Deleted {
		f.Message = "the pod was deleted before it was Ready"
	}
	return f
}

// lastStep names the step that was under way.
func (w *writer) lastStep() *v1alpha1.BirthFailure {
	if len(w.steps) == 0 {
		return &v1alpha1.BirthFailure{Step: "Sandbox", Actor: v1alpha1.ActorKubelet}
	}
	last := w.steps[len(w.steps)-1]
	switch last.role {
	case event.RoleCNI:
		return &v1alpha1.BirthFailure{Step: "Network", Actor: v1alpha1.ActorCNI}
	case event.RoleShim:
		return &v1alpha1.BirthFailure{Step: "Sandbox", Actor: v1alpha1.ActorRuntime}
	}
	name := w.container(last.who)
	if !w.runsWorkload(last.who.ContainerID) {
		return &v1alpha1.BirthFailure{Step: "ContainerCreate", Actor: v1alpha1.ActorRuntime, Container: name}
	}
	for _, c := range w.seen.pod.Containers {
		if c.Init && c.Name == name {
			return &v1alpha1.BirthFailure{Step: "InitContainer", Actor: v1alpha1.ActorWorkload, Container: name}
		}
	}
	return &v1alpha1.BirthFailure{Step: "Readiness", Actor: v1alpha1.ActorKubelet, Container: name}
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
