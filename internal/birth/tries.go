// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// attempt is one try to start a container, or a sandbox.
type attempt struct {
	// id of the container, as the runtime has it.
	id     string
	failed bool
	// ended is set for a sandbox whose own process ended: it was given up if
	// another one followed, and served its time if none did.
	ended bool
	// killed is set for a program that was killed as the kubelet does it.
	killed bool
	// began and at are the attempt's first and latest event.
	began, at uint64
}

// attempts are the tries of one container.
type attempts struct {
	failed int32
	// failedAt is the latest event of the latest attempt that failed, which is lastFailed.
	failedAt         uint64
	last, lastFailed attempt
}

// tries follows the tries of all containers, by the runtime's ids.
type tries struct {
	seen  *seen
	byID  map[string]*attempt
	names map[string]string
	order []string
	// Processes of sessions: the first one, and the first that was the workload.
	first, entrypoints map[uint64]uint32
}

// attemptsOf tells the tries of each container by its name, those of sandboxes
// under the sandbox's, and those of containers that nobody has named yet under
// no name.
func attemptsOf(events []attribution.Attributed, s *seen) map[string]*attempts {
	t := tries{
		seen: s, byID: map[string]*attempt{}, names: map[string]string{},
		first: map[uint64]uint32{}, entrypoints: map[uint64]uint32{},
	}
	for _, e := range events {
		if e.Who.ContainerID != "" && e.Session != 0 && !s.endsWithThePod(e) {
			t.hear(e)
		}
	}
	return t.byName()
}

func (t *tries) hear(e attribution.Attributed) {
	id := e.Who.ContainerID
	a := t.byID[id]
	if a == nil {
		a = &attempt{id: id, began: e.Time}
		t.byID[id] = a
		t.order = append(t.order, id)
	}
	t.names[id] = t.seen.names[id]
	if e.Who.Sandbox {
		t.names[id] = v1alpha1.SandboxContainer
	}
	a.at = max(a.at, e.Time)
	switch e.Kind {
	case event.SessionOpen:
		t.first[e.Session] = e.PID
	case event.Exec:
		if e.Workload && t.entrypoints[e.Session] == 0 {
			t.entrypoints[e.Session] = e.PID
		}
	case event.Exit:
		t.hearExit(a, e)
	case event.ExecFailed:
		a.failed = a.failed || !e.Workload && t.entrypoints[e.Session] == 0
	}
}

// hearExit takes the end of a process. An attempt has failed with that of a
// process without which it cannot go on: the entrypoint's, the runtime's or a CNI
// plugin's, if it failed.
func (t *tries) hearExit(a *attempt, e attribution.Attributed) {
	entrypoint := e.Workload && e.PID == t.entrypoints[e.Session]
	if entrypoint && e.Who.Sandbox {
		a.ended = true
		return
	}
	if status := unix.WaitStatus(e.Value); status.Exited() && status.ExitStatus() == 0 {
		return
	}
	maker := e.Who.Role == event.RoleCNI || e.Who.Role == event.RoleRuntime
	a.killed = a.killed || entrypoint && isKill(e.Event)
	a.failed = a.failed || entrypoint || !e.Workload && maker && e.PID == t.first[e.Session]
}

func (t *tries) byName() map[string]*attempts {
	all := map[string]*attempts{}
	for _, id := range t.order {
		a := all[t.names[id]]
		if a == nil {
			a = &attempts{}
			all[t.names[id]] = a
		}
		a.add(*t.byID[id])
	}
	return all
}

func (a *attempts) add(next attempt) {
	if a.last.ended && !a.last.failed {
		a.failed++ // the one before was given up
		a.lastFailed = a.last
	}
	if next.failed {
		a.failed++
		a.failedAt, a.lastFailed = max(a.failedAt, next.at), next
	}
	if next.at >= a.last.at {
		a.last = next
	}
}

// heardLateBy is by how much the deletion of a pod may be heard later than the
// kubelet begins to kill its containers.
const heardLateBy = uint64(2 * time.Second)

// endsWithThePod is true for what happens after a pod's deletion, and for a kill
// just before it was heard: neither is a failure of the pod's own. A static pod's is
// heard with the end of its sandbox, which is the last that the kubelet ends. A kill of
// which the kubelet says another reason is one.
func (s *seen) endsWithThePod(e attribution.Attributed) bool {
	if s.deleted == 0 || e.Time >= s.deleted {
		return s.deleted != 0
	}
	killed := isKill(e.Event)
	if status := unix.WaitStatus(e.Value); s.pod.Mirror && e.Kind == event.Exit && e.Workload && status.Exited() {
		killed = status.ExitStatus() == endedAsAsked
	}
	if !killed || s.deleted-e.Time >= heardLateBy {
		return false
	}
	_, forItsOwn := s.killedBy(s.names[e.Who.ContainerID], s.epoch.Add(time.Duration(e.Time)).Add(-time.Duration(heardLateBy))) //nolint:gosec // both are short
	return !forItsOwn
}

// endedAsAsked is the exit code by which a program tells that SIGTERM has ended it.
const endedAsAsked = 128 + int(unix.SIGTERM)
