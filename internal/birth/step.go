// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"path"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// step is one session of the birth: a process that was started to do one thing.
type step struct {
	id     uint64
	parent uint64
	role   event.Role
	who    attribution.Identity
	file   string
	pid    uint32
	opened uint64
	// exited is when the session's first process ended, 0 if it did not.
	exited uint64
	status int64
	counts event.SessionCounts
	// entrypoint is when the workload's first file was executed, and in which process.
	entrypoint    uint64
	entrypointPID uint32
	// entrypointExit is when that process ended, 0 if it did not.
	entrypointExit   uint64
	entrypointStatus int64
	// linked is when the entrypoint's main had begun, filesOpened how many shared
	// objects it had opened by then; listened is when it first listened.
	linked, listened uint64
	filesOpened      int64
}

func (w *writer) takeSteps() []*step {
	byID := map[uint64]*step{}
	var all []*step
	for _, e := range w.birth.events {
		if e.Kind == event.SessionOpen {
			s := &step{
				id: e.Session, parent: e.Open.Parent, role: e.Who.Role, who: e.Who, file: path.Base(e.File),
				pid: e.PID, opened: e.Time, counts: w.closing.Counts[e.Session],
			}
			byID[s.id] = s
			all = append(all, s)
			continue
		}
		s := byID[e.Session]
		if s == nil {
			continue
		}
		if s.who.ContainerID == "" {
			s.who.ContainerID, s.who.Sandbox = e.Who.ContainerID, e.Who.Sandbox
		}
		if e.Workload {
			s.takeWorkload(e.Event)
		} else if e.Kind == event.Exit && e.PID == s.pid {
			s.exited, s.status = e.Time, e.Value
		}
	}
	return all
}

// takeWorkload takes a deed of what the step became.
func (s *step) takeWorkload(e event.Event) {
	switch {
	case e.Kind == event.Exec && s.entrypoint == 0:
		s.entrypoint, s.entrypointPID = e.Time, e.PID
	case e.Kind == event.Exit && e.PID == s.entrypointPID:
		s.entrypointExit, s.entrypointStatus = e.Time, e.Value
	case e.Kind == event.Linked && s.linked == 0:
		s.linked, s.filesOpened = e.Time, e.Value
	case e.Kind == event.Listen && s.listened == 0:
		s.listened = e.Time
	}
}
