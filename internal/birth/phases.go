// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const phasesMax = 32

// phase adds a stretch of time; cpu is the CPU time that its processes used,
// nil where it is not known.
func (w *writer) phase(name, container string, from, to uint64, cpu *uint64) {
	if from == 0 || to < from || len(w.spec.Phases) == phasesMax {
		return
	}
	p := v1alpha1.Phase{
		Name: name, Container: container,
		StartMicroseconds:    w.offset(from),
		DurationMicroseconds: int64((to - from) / 1000),
	}
	if cpu != nil {
		wait := max(0, p.DurationMicroseconds-int64(*cpu/1000))
		p.WaitMicroseconds = &wait
	}
	w.spec.Phases = append(w.spec.Phases, p)
}

func (w *writer) writePhases() {
	if w.seen.first != 0 {
		w.phase("KubeletSync", "", w.seen.first, w.birth.began, nil)
	}
	w.preparePhase()
	w.networkPhase()
	w.shimPhase()
	w.sandboxToContainer()
	for _, s := range w.steps {
		w.stepPhases(s)
	}
	w.startupPhases()
	slices.SortStableFunc(w.spec.Phases, func(a, b v1alpha1.Phase) int {
		return cmp.Compare(a.StartMicroseconds, b.StartMicroseconds)
	})
}

// networkPhase spans from the network namespace (or the first plugin) to the
// end of the last plugin.
func (w *writer) networkPhase() {
	var from, to, cpu uint64
	for _, e := range w.birth.events {
		if e.Kind == event.NetnsBind {
			from = e.Time
		}
	}
	for _, s := range w.steps {
		if s.role == event.RoleCNI {
			if from == 0 || s.opened < from {
				from = s.opened
			}
			to = max(to, s.exited)
			cpu += s.cpu()
		}
	}
	w.phase("Network", "", from, to, &cpu)
}

// preparePhase is the kubelet's work between the pod's cgroup and the first
// sign of the runtime: volumes, secrets, the call to the runtime.
func (w *writer) preparePhase() {
	var first uint64
	for _, e := range w.birth.events {
		if e.Kind == event.NetnsBind || e.Kind == event.SessionOpen {
			first = e.Time
			break
		}
	}
	w.phase("KubeletPrepare", "", w.birth.began, first, nil)
}

// shimPhase spans from the shim's exec to its first call of the runtime.
func (w *writer) shimPhase() {
	var from uint64
	for _, s := range w.steps {
		switch {
		case s.role == event.RoleShim && from == 0:
			from = s.opened
		case s.role == event.RoleRuntime:
			w.phase("ShimStart", "", from, s.opened, nil)
			return
		}
	}
}

// sandboxToContainer is the kubelet's and the runtime's time between the
// sandbox's start and the first container's creation: images, configuration,
// the container's snapshot.
func (w *writer) sandboxToContainer() {
	var sandbox uint64
	for _, s := range w.steps {
		switch {
		case s.who.Sandbox && s.entrypoint != 0:
			sandbox = s.entrypoint
		case s.role == event.RoleRuntime && !s.who.Sandbox && sandbox != 0:
			w.phase("KubeletContainer", w.container(s.who), sandbox, s.opened, nil)
			return
		}
	}
}

// stepPhases are the lives of a runtime's processes.
func (w *writer) stepPhases(s *step) {
	if s.role != event.RoleRuntime {
		return
	}
	cpu, name := s.cpu(), w.container(s.who)
	switch s.who.Op {
	case "create", "run":
		end := s.exited
		if end == 0 { // a runtime that stays with its container
			end = s.entrypoint
		}
		w.phase("ContainerCreate", name, s.opened, end, &cpu)
	case "start":
		w.phase("ContainerStart", name, s.opened, s.exited, &cpu)
	}
}

// startupPhases are those that begin with an entrypoint.
func (w *writer) startupPhases() {
	var lastExec uint64
	listens := map[string]uint64{}
	for _, e := range w.birth.events {
		if e.Kind == event.Listen && e.Workload && listens[e.Who.ContainerID] == 0 {
			listens[e.Who.ContainerID] = e.Time
		}
	}
	for _, s := range w.steps {
		if s.entrypoint == 0 || s.who.Sandbox {
			continue
		}
		lastExec = max(lastExec, s.entrypoint, listens[s.who.ContainerID])
		if t := listens[s.who.ContainerID]; t != 0 {
			w.phase("Startup", w.container(s.who), s.entrypoint, t, nil)
		}
	}
	w.phase("Readiness", "", lastExec, w.seen.ready, nil)
}
