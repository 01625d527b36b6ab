// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	timelineMax = 64
	detailMax   = 160
)

func (w *writer) tell(t uint64, actor v1alpha1.Actor, container, action, detail string) {
	w.timeline = append(w.timeline, v1alpha1.TimelineEntry{
		OffsetMicroseconds: w.offset(t), Actor: actor, Container: container,
		Action: action, Detail: cut(printable(detail), detailMax),
	})
}

func (w *writer) writeTimeline() {
	if t := w.scheduled(); t != 0 {
		w.tell(t, v1alpha1.ActorScheduler, "", "Scheduled", "to "+w.config.NodeName)
	}
	for _, e := range w.birth.events {
		w.tellEvent(e)
	}
	w.tellMounts()
	w.tellLimits()
	w.tellJoined()
	if w.seen.ready != 0 {
		w.tell(w.seen.ready, v1alpha1.ActorKubelet, "", "Ready", "")
	}
	slices.SortStableFunc(w.timeline, func(a, b v1alpha1.TimelineEntry) int {
		return cmp.Compare(a.OffsetMicroseconds, b.OffsetMicroseconds)
	})
	w.trimTimeline()
	w.spec.Timeline = w.timeline
}

func (w *writer) tellEvent(e attribution.Attributed) {
	container := w.container(e.Who)
	switch e.Kind {
	case event.CgroupMkdir:
		w.tellCgroup(e, container)
	case event.NetnsBind:
		w.tell(e.Time, v1alpha1.ActorRuntime, "", "NetworkNamespaceCreated", path.Base(e.File))
	case event.SessionOpen:
		w.tellOpen(e, container)
	case event.CgroupJoin:
		if !e.Workload {
			w.tell(e.Time, v1alpha1.ActorRuntime, container, "CgroupJoined", "")
		}
	case event.Namespaces:
		w.tell(e.Time, w.actor(e), container, "NamespacesCreated", strings.Join(namespaceNames(e.Value), " "))
	case event.PivotRoot:
		w.tell(e.Time, w.actor(e), container, "RootChanged", "")
	case event.Exec:
		w.tellExec(e, container)
	case event.ExecFailed:
		w.tellExecFailed(e, container)
	case event.Listen:
		w.tellListen(e, container)
	case event.Accept:
		w.tellAccept(e, container)
	case event.Exit:
		w.tellExit(e, container)
	default:
		w.tellMore(e, container)
	}
}

// tellMore tells the deeds that only some births have.
func (w *writer) tellMore(e attribution.Attributed, container string) {
	switch e.Kind {
	case event.Mount:
		w.tellMount(e)
	case event.Seccomp:
		w.tell(e.Time, w.actor(e), container, "SeccompApplied", "")
	case event.Linked:
		w.tell(e.Time, v1alpha1.ActorWorkload, container, "MainBegan", fmt.Sprintf("%d shared objects opened before", e.Value))
	case event.OutOfMemory:
		w.tell(e.Time, v1alpha1.ActorKernel, container, "OutOfMemory", "")
	case event.NetDevice:
		w.tell(e.Time, v1alpha1.ActorCNI, "", "NetDeviceRequested", w.file(e.Session))
	case event.Netfilter:
		w.tell(e.Time, v1alpha1.ActorCNI, "", "NetfilterChanged", fmt.Sprintf("%s: %d rules", w.file(e.Session), e.Value))
	}
}

// file is the base name of the file that a session began with.
func (w *writer) file(session uint64) string {
	if s := w.step(session); s != nil {
		return s.file
	}
	return ""
}

// tellMount tells what was mounted, without the path: ids and the node's own
// folders say nothing to a reader.
func (w *writer) tellMount(e attribution.Attributed) {
	if e.Who.ContainerID == "" {
		_, volume, _ := strings.Cut(e.Path, "/volumes/")
		w.tell(e.Time, v1alpha1.ActorKubelet, "", "VolumeMounted", volume)
		return
	}
	if strings.HasSuffix(e.Path, "/rootfs") {
		name := w.seen.names[e.Who.ContainerID]
		if e.Who.Sandbox {
			name = v1alpha1.SandboxContainer
		}
		w.tell(e.Time, v1alpha1.ActorRuntime, name, "RootMounted", "")
	}
}

func (w *writer) tellCgroup(e attribution.Attributed, container string) {
	if e.Who.ContainerID == "" {
		w.tell(e.Time, v1alpha1.ActorKubelet, "", "CgroupCreated", path.Base(e.Path))
		return
	}
	w.tell(e.Time, v1alpha1.ActorRuntime, container, "CgroupCreated", "")
}

// tellExecFailed tells the runtime's failures; a workload that looks for a
// program along its PATH fails in the ordinary course of things.
func (w *writer) tellExecFailed(e attribution.Attributed, container string) {
	if !e.Workload {
		detail := unix.ErrnoName(unix.Errno(e.Value))
		if e.File != "" {
			detail += " " + e.File
		}
		w.tell(e.Time, v1alpha1.ActorRuntime, container, "ExecFailed", detail)
	}
}

// tellAccept tells the workload's; that a shim accepts is its ordinary work.
func (w *writer) tellAccept(e attribution.Attributed, container string) {
	if e.Workload {
		w.tell(e.Time, v1alpha1.ActorWorkload, container, "FirstAccept", "")
	}
}

// tellListen tells the first listening socket on each port: multipath TCP makes
// several for one listen.
func (w *writer) tellListen(e attribution.Attributed, container string) {
	detail := fmt.Sprintf("tcp port %d", e.Value)
	for _, t := range w.timeline {
		if t.Action == "Listen" && t.Container == container && t.Detail == detail {
			return
		}
	}
	w.tell(e.Time, w.actor(e), container, "Listen", detail)
}

func (w *writer) actor(e attribution.Attributed) v1alpha1.Actor {
	switch {
	case e.Workload:
		return v1alpha1.ActorWorkload
	case e.Who.Role == event.RoleCNI:
		return v1alpha1.ActorCNI
	}
	return v1alpha1.ActorRuntime
}

func (w *writer) tellOpen(e attribution.Attributed, container string) {
	name := path.Base(e.File)
	switch e.Who.Role {
	case event.RoleCNI:
		w.tell(e.Time, v1alpha1.ActorCNI, "", "PluginStarted", name)
	case event.RoleShim:
		action := "ShimServing" // the daemon that "start" leaves behind
		if e.Who.Op == "start" {
			action = "ShimStarted"
		}
		w.tell(e.Time, v1alpha1.ActorRuntime, "", action, name)
	case event.RoleMonitor:
		w.tell(e.Time, v1alpha1.ActorRuntime, container, "MonitorStarted", name)
	default:
		w.tell(e.Time, v1alpha1.ActorRuntime, container, "RuntimeStarted", name+" "+e.Who.Op)
	}
}

func (w *writer) tellExec(e attribution.Attributed, container string) {
	if s := w.step(e.Session); e.Workload && s != nil && s.entrypoint == e.Time {
		w.tell(e.Time, v1alpha1.ActorWorkload, container, "EntrypointExec", e.File)
		return
	}
	w.tell(e.Time, w.actor(e), container, "Exec", e.File)
}

func (w *writer) tellExit(e attribution.Attributed, container string) {
	s := w.step(e.Session)
	if s == nil {
		return
	}
	switch {
	case e.PID == s.pid && s.role == event.RoleCNI && !e.Workload:
		w.tell(e.Time, v1alpha1.ActorCNI, "", "PluginExited", s.file+": "+exitText(e.Value))
	case e.PID == s.pid && !e.Workload && e.Value != 0:
		w.tell(e.Time, v1alpha1.ActorRuntime, container, "RuntimeExited", s.file+" "+s.who.Op+": "+exitText(e.Value))
	case e.Workload && e.PID == s.entrypointPID:
		w.tell(e.Time, v1alpha1.ActorWorkload, container, "EntrypointExited", exitText(e.Value))
	}
}

func (w *writer) step(session uint64) *step {
	for _, s := range w.steps {
		if s.id == session {
			return s
		}
	}
	return nil
}

// trimTimeline keeps to the bound by leaving out what matters least.
func (w *writer) trimTimeline() {
	w.timeline = withoutLeastTelling(w.timeline, func(all []v1alpha1.TimelineEntry) bool { return len(all) > timelineMax })
	if extra := len(w.timeline) - timelineMax; extra > 0 {
		w.timeline = w.timeline[:timelineMax]
		w.miss("the timeline is cut: %d later entries are left out", extra)
	}
}

// withoutLeastTelling leaves out one action after the other while there is too much.
func withoutLeastTelling(all []v1alpha1.TimelineEntry, tooMuch func([]v1alpha1.TimelineEntry) bool) []v1alpha1.TimelineEntry {
	for _, action := range leastTelling {
		if !tooMuch(all) {
			break
		}
		all = slices.DeleteFunc(all, func(t v1alpha1.TimelineEntry) bool { return t.Action == action })
	}
	return all
}

// leastTelling are the actions that a full timeline leaves out first.
var leastTelling = []string{
	"Exec", "NamespacesJoined", "CgroupJoined", "NetDeviceRequested", "SeccompApplied", "MainBegan", "RootMounted",
	"NamespacesCreated", "LimitsWritten", "VolumeMounted", "Mounts",
}

func exitText(status int64) string {
	ws := unix.WaitStatus(status)
	if ws.Signaled() {
		return "killed by " + unix.SignalName(ws.Signal())
	}
	return fmt.Sprintf("exit code %d", ws.ExitStatus())
}
