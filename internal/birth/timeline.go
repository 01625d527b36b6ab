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

// tellJoined tells the namespaces that a step joined as one entry, at the first:
// a CNI plugin goes into its pod's network many times.
func (w *writer) tellJoined() {
	for _, s := range w.steps {
		var flags int64
		var first attribution.Attributed
		for _, e := range w.birth.events {
			if e.Kind == event.Setns && e.Session == s.id && !e.Workload {
				if flags == 0 {
					first = e
				}
				flags |= e.Value
			}
		}
		if flags != 0 {
			w.tell(first.Time, w.stepActor(s), w.container(s.who), "NamespacesJoined", strings.Join(namespaceNames(flags), " "))
		}
	}
}

// tellLimits tells the writes to control files of a step as one entry, at the
// last of them.
func (w *writer) tellLimits() {
	for _, s := range w.steps {
		var files []string
		var last uint64
		for _, e := range w.birth.events {
			if e.Kind == event.CgroupWrite && e.Session == s.id && e.File != "cgroup.procs" && e.File != "tasks" {
				last = max(last, e.Time)
				if !slices.Contains(files, e.File) {
					files = append(files, e.File)
				}
			}
		}
		if len(files) > 0 {
			w.tell(last, w.stepActor(s), w.container(s.who), "LimitsWritten", strings.Join(files, " "))
		}
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

// tellMounts tells the mounts of a step as one entry, at the first of them.
func (w *writer) tellMounts() {
	for _, s := range w.steps {
		c := s.counts.Own
		if c.Mounts > 0 {
			w.tell(c.FirstMount, w.stepActor(s), w.container(s.who), "Mounts",
				fmt.Sprintf("%d in %s", c.Mounts, Duration(int64((c.LastMount-c.FirstMount)/1000))))
		}
	}
}

// trimTimeline keeps to the bound by leaving out what matters least.
func (w *writer) trimTimeline() {
	for _, action := range leastTelling {
		if len(w.timeline) <= timelineMax {
			return
		}
		w.timeline = slices.DeleteFunc(w.timeline, func(t v1alpha1.TimelineEntry) bool { return t.Action == action })
	}
	if extra := len(w.timeline) - timelineMax; extra > 0 {
		w.timeline = w.timeline[:timelineMax]
		w.miss("the timeline is cut: %d later entries are left out", extra)
	}
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

// Types of namespaces by their clone flag, in the order of NamespacesCreated.
var namespaceFlags = []struct {
	flag int64
	name string
	at   func(*v1alpha1.NamespacesCreated) *int64
}{
	{unix.CLONE_NEWNS, "mount", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.Mount }},
	{unix.CLONE_NEWPID, "pid", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.PID }},
	{unix.CLONE_NEWNET, "network", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.Network }},
	{unix.CLONE_NEWUTS, "uts", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.UTS }},
	{unix.CLONE_NEWIPC, "ipc", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.IPC }},
	{unix.CLONE_NEWCGROUP, "cgroup", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.Cgroup }},
	{unix.CLONE_NEWUSER, "user", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.User }},
	{unix.CLONE_NEWTIME, "time", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.Time }},
}

func namespaceNames(flags int64) []string {
	var names []string
	for _, f := range namespaceFlags {
		if flags&f.flag != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// printable replaces what would break a terminal: names come from users.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
