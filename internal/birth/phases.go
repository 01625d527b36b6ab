// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const phasesMax = 48

// part is one side of a step: its own threads, or those of the workload that it
// became.
type part struct {
	step     *step
	workload bool
}

// phase adds a stretch of time and what its parts did meanwhile; without parts
// that is not known: daemons work for all pods.
func (w *writer) phase(name, container, detail string, from, to uint64, parts ...part) {
	if from == 0 || to < from {
		return
	}
	if len(w.spec.Phases) == phasesMax {
		w.miss("more than %d phases: the others are left out", phasesMax)
		return
	}
	p := v1alpha1.Phase{
		Name: name, Container: container, Detail: cut(printable(detail), 63),
		StartMicroseconds: w.offset(from),
	}
	p.DurationMicroseconds = w.offset(to) - p.StartMicroseconds
	w.addWaits(&p, from, to, parts)
	w.spec.Phases = append(w.spec.Phases, p)
}

// addWaits divides a phase into work and waiting, where all of it was heard.
func (w *writer) addWaits(p *v1alpha1.Phase, from, to uint64, parts []part) {
	var all []stretch
	for _, x := range parts {
		if !w.heardAll(x, from, to) {
			return
		}
		began := x.step.opened
		if x.workload {
			began = x.step.entrypoint
		}
		all = append(all, w.waits.stretches(w.tracks.bySession[x.step.id], x.workload, began, to)...)
	}
	if len(all) == 0 {
		return
	}
	_, waits := spent(all, from, to)
	wait := sumOfWaits(&waits)
	if excess := wait - p.DurationMicroseconds; excess > 0 { // of rounding
		waits.OtherMicroseconds = max(0, waits.OtherMicroseconds-excess)
		wait = sumOfWaits(&waits)
	}
	p.WaitMicroseconds, p.Waits = &wait, &waits
}

// heardAll is true if the scheduler was heard all the time, and the session's
// threads did not exceed what is told of them.
func (w *writer) heardAll(x part, from, to uint64) bool {
	for _, d := range w.closing.Deaf {
		if d.From < to && d.To > from {
			return false
		}
	}
	if w.tracks.cut[x.step.id] {
		return false
	}
	told, most := x.step.counts.Own.Stretches, uint64(event.StretchesMaxOwn)
	switch {
	case x.workload:
		told, most = x.step.counts.Workload.Stretches, event.StretchesMaxWorkload
	case x.step.role == event.RoleShim:
		most = event.StretchesMaxShim
	}
	return told < most || w.tracks.last(x.step.id) >= to
}

func (w *writer) writePhases() {
	if t := w.scheduled(); t != 0 {
		w.phase("KubeletSync", "", "", t, w.birth.began)
	}
	w.preparePhase()
	w.networkPhases()
	w.shimPhase()
	w.kubeletPhases()
	for _, s := range w.steps {
		w.stepPhases(s)
	}
	w.workloadPhases()
	slices.SortStableFunc(w.spec.Phases, func(a, b v1alpha1.Phase) int {
		return cmp.Or(cmp.Compare(a.StartMicroseconds, b.StartMicroseconds), cmp.Compare(b.DurationMicroseconds, a.DurationMicroseconds))
	})
	markCriticalPath(w.spec.Phases, w.spec.KernelStats.DurationMicroseconds)
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
	if !w.birth.midst {
		w.phase("KubeletPrepare", "", "", w.birth.began, first)
	}
}

// shimPhase spans from the shim's exec to its first call of the runtime.
func (w *writer) shimPhase() {
	var from uint64
	var parts []part
	for _, s := range w.steps {
		switch s.role {
		case event.RoleShim:
			if from == 0 {
				from = s.opened
			}
			parts = append(parts, part{step: s})
		case event.RoleRuntime:
			w.phase("ShimStart", "", "", from, s.opened, parts...)
			return
		}
	}
}

// stepPhases are the lives of a runtime's processes.
func (w *writer) stepPhases(s *step) {
	if s.role != event.RoleRuntime {
		return
	}
	name := w.container(s.who)
	switch s.who.Op {
	case "create", "run":
		end := s.exited
		if end == 0 { // a runtime that stays with its container
			end = s.entrypoint
		}
		w.phase("ContainerCreate", name, "", s.opened, end, part{step: s})
	case "start":
		w.phase("ContainerStart", name, "", s.opened, s.exited, part{step: s})
	}
}

// workloadPhases are those that begin with an entrypoint.
func (w *writer) workloadPhases() {
	var lastSign uint64
	for _, s := range w.steps {
		if s.entrypoint == 0 || s.who.Sandbox {
			continue
		}
		name := w.container(s.who)
		if s.linked != 0 && s.filesOpened > 0 {
			w.phase("Linking", name, "", s.entrypoint, s.linked, part{s, true})
		}
		if c, ok := w.seen.pod.container(name); ok && c.Init {
			w.phase("InitRun", name, "", s.entrypoint, s.entrypointExit, part{s, true})
			continue
		}
		if s.listened != 0 {
			w.phase("Startup", name, "", s.entrypoint, s.listened, part{s, true})
		}
		for _, t := range []uint64{s.entrypoint, s.listened} {
			if t <= w.seen.ready {
				lastSign = max(lastSign, t)
			}
		}
	}
	w.phase("Readiness", "", "", lastSign, w.seen.ready)
}
