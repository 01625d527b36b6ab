// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// death is what is known of the attempt at a container that failed last: what the kernel
// told, and what the kubelet says. The failure and the attempts are told from it, so that
// one kind of death has one name.
type death struct {
	// id of the container, as the runtime has it; empty where the kernel told of no such
	// attempt. steps are what was heard of it.
	id    string
	steps []*step
	// said is how it ended, as the kubelet says; nil where it has said nothing.
	said *Ended
}

// deathOf finds the attempt at a container that failed last. Of one that only the kubelet
// knows, before the observer was started or among what was lost, the kernel's word on
// another one says nothing.
func (w *writer) deathOf(c Container) death {
	d := death{said: c.lastEnd()}
	a := attemptsOf(w.birth.events, w.seen)[c.Name]
	switch {
	case a == nil, c.ID != "" && !w.hasHeardOf(c.ID):
	case a.failed > 0:
		d.id = a.lastFailed.id
	case !c.Running:
		d.id = a.last.id // its end was lost
	}
	d.steps = w.heardOf(d.id).steps
	return d
}

// heardOf is what the kernel told of an attempt.
func (w *writer) heardOf(id string) death {
	d := death{id: id}
	for _, s := range w.steps {
		if id != "" && s.who.ContainerID == id && s.role != event.RoleCNI && s.role != event.RoleShim {
			d.steps = append(d.steps, s)
		}
	}
	return d
}

func (w *writer) hasHeardOf(id string) bool {
	return slices.ContainsFunc(w.steps, func(s *step) bool { return s.who.ContainerID == id })
}

// lastEnd is how the container ended last, as the kubelet says; nil where it does not.
func (c *Container) lastEnd() *Ended {
	if c.Ended != nil {
		return c.Ended
	}
	return c.Before
}

// executed is true if the kernel executed the attempt's entrypoint.
func (d *death) executed() bool {
	return slices.ContainsFunc(d.steps, func(s *step) bool { return s.entrypoint != 0 })
}

// step is how far the attempt got, as the kernel told, or else as the kubelet says; empty
// where neither did.
func (d *death) step() string {
	switch {
	case d.executed():
		return "Entrypoint"
	case len(d.steps) > 0 || d.said != nil && neverStarted[d.said.Reason]:
		return d.runtimeStep()
	case d.said != nil:
		return "Entrypoint"
	}
	return ""
}

// runtimeStep is what the runtime did last for a container that has no entrypoint. The
// kubelet says that it could not be started.
func (d *death) runtimeStep() string {
	if len(d.steps) > 0 && !slices.ContainsFunc(d.steps, func(s *step) bool { return s.who.Op == "start" }) {
		return "ContainerCreate"
	}
	return "ContainerStart"
}

// runStep is the step at which the attempts at a container or a sandbox failed, of several
// the one that failed last. It is the failure's, whatever became of the pod since.
func (w *writer) runStep(name string, heard *attempts) string {
	if name == v1alpha1.SandboxContainer {
		return w.sandboxStep(heard)
	}
	c, known := w.seen.pod.container(name)
	d := death{}
	switch {
	case known:
		d = w.deathOf(c)
	case heard != nil:
		d = w.heardOf(heard.lastFailed.id)
	}
	step := c.failingStep()
	if step == "" || slices.Contains(setbackSteps, step) {
		c.WaitingReason, c.Message = "", "" // of something else
		step = d.step()
	}
	return w.failureOf(c, d, step).Step
}

// sandboxStep is the step of the sandbox that failed last: its network, where a CNI plugin
// failed. The kubelet knows the sandbox only.
func (w *writer) sandboxStep(heard *attempts) string {
	if heard != nil && heard.lastFailed.id != "" {
		if failed := w.failedProcess(heard.lastFailed.id); failed != nil && failed.role == event.RoleCNI {
			return "Network"
		}
	}
	return "Sandbox"
}
