// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"fmt"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

const (
	missingMax    = 12
	missingLength = 160
)

// miss notes something that was not heard.
func (w *writer) miss(format string, args ...any) {
	if len(w.missing) < missingMax {
		w.missing = append(w.missing, cut(fmt.Sprintf(format, args...), missingLength))
	}
}

func (w *writer) writeCoverage() {
	c := &w.spec.Coverage
	c.Events = w.countedEvents()
	c.AttributedPercent = attributedPercent(c.Events)
	c.LostEvents = int64(w.closing.Lost.Total() - w.birth.lost.Total())
	c.Lost = w.losses()
	w.missHooks()
	w.missBegin()
	w.missSyscalls()
	w.missEntrypoints()
	if w.birth.cut > 0 {
		w.miss("%d events beyond the first %d", w.birth.cut, len(w.birth.events))
	}
	if w.config.WithoutAPI {
		w.miss("no API server: scheduling, images and readiness were not heard")
	}
	w.missEnd()
	w.missUnread()
	w.missImages()
	if n := c.Events.Unresolved; n > 0 {
		w.miss("whose %d events on the node were: some may be of this birth", n)
	}
	if n := w.closing.Lost.Counted() - w.birth.lost.Counted(); n > 0 {
		w.miss("%d events were lost on the node while this birth lasted", n)
	}
	if n := w.closing.Lost.Overflows - w.birth.lost.Overflows; n > 0 {
		w.miss("cgroups that came and went on the node: %d times the queue of its watches was full while this birth lasted", n)
	}
	c.Missing = w.missing
	w.spec.Complete = len(c.Missing) == 0 && c.AttributedPercent == "100.0"
}

func (w *writer) missSyscalls() {
	if w.config.unheard(hooks.Exec) || w.config.unheard(hooks.SysExit) {
		return // missHooks has said it
	}
	if !w.heardAtAll() {
		w.miss("system calls, mounts, namespaces and listening sockets were not heard")
		return
	}
	for _, d := range w.closing.Deaf {
		late := 0
		for _, s := range w.steps {
			if s.opened >= d.From && s.opened < d.To {
				late++
			}
		}
		switch {
		case late == 0:
		case d.From <= w.birth.began:
			w.miss("system calls up to %s: hearing them began after %d processes of the birth", Duration(w.offset(d.To)), late)
		default:
			w.miss("system calls from %s to %s, of %d processes: the birth rested between two attempts",
				Duration(w.offset(d.From)), Duration(w.offset(d.To)), late)
		}
	}
}

// heardAtAll is true if system calls were heard at any time of the birth.
func (w *writer) heardAtAll() bool {
	for _, d := range w.closing.Deaf {
		if d.From <= w.birth.began && d.To >= w.closing.Now {
			return false
		}
	}
	return true
}

// missEnd says of a birth that goes on that it does.
func (w *writer) missEnd() {
	_, _, failing := w.seen.pod.failing()
	switch {
	case !w.final && w.spec.Outcome != v1alpha1.OutcomeFailed:
		w.miss("what comes after %s: the birth goes on", Duration(w.offset(w.closing.Now)))
	case !w.final && w.spec.FailedAttempts == 0:
		w.miss("what comes after this: the kubelet keeps trying")
	case !w.final:
		w.miss("what comes after %d failed attempts: the kubelet keeps trying", w.spec.FailedAttempts)
	case failing && !w.seen.pod.over():
		w.miss("attempts after %s: the kubelet keeps trying, and the birth is no longer followed", Duration(w.offset(w.closing.Now)))
	}
}

// missUnread says so if the observer was so far behind that the end of the birth had
// not been read.
func (w *writer) missUnread() {
	if since := w.closing.Unread; since != 0 {
		w.miss("what happened after %s: the observer gets too little CPU and had not read it yet", Duration(w.offset(since)))
	}
}

// missImages names the containers of which the kubelet has not said where their
// image came from.
func (w *writer) missImages() {
	if !w.config.Remarks || w.seen.pod.Deleted {
		return
	}
	why := "the kubelet's event was not heard"
	if w.imagesMayCome {
		why = "the kubelet's event has not come yet"
	}
	for _, c := range w.seen.pod.Containers {
		if c.ID != "" && w.seen.image(c.Name) == nil {
			w.miss("whether the image of container %s was pulled: %s", c.Name, why)
		}
	}
}

// countedEvents divides what was heard on the node while the birth lasted.
func (w *writer) countedEvents() *v1alpha1.CoverageEvents {
	heard := w.closing.Window
	e := v1alpha1.CoverageEvents{
		Attributed: int64(len(w.birth.events) + w.birth.cut), Daemons: int64(heard.Daemons), Unresolved: int64(heard.Unresolved),
	}
	// An event of this birth may have been heard, without a name, before its first.
	e.Others = max(0, int64(heard.Heard)-e.Attributed-e.Daemons-e.Unresolved)
	e.Heard = e.Attributed + e.Others + e.Daemons + e.Unresolved
	return &e
}

func (w *writer) losses() []v1alpha1.Loss {
	now, before := w.closing.Lost, w.birth.lost
	var all []v1alpha1.Loss
	for _, l := range []v1alpha1.Loss{
		{Reason: v1alpha1.LossRingFull, Count: int64(now.Events - before.Events)},
		{Reason: v1alpha1.LossSessionTableFull, Count: int64(now.Sessions - before.Sessions)},
		{Reason: v1alpha1.LossThreadTableFull, Count: int64(now.Members - before.Members)},
		{Reason: v1alpha1.LossProgramSkipped, Count: int64(now.Skipped - before.Skipped)},
		{Reason: v1alpha1.LossWatchQueueFull, Count: int64(now.Overflows - before.Overflows)},
		{Reason: v1alpha1.LossBirthBufferFull, Count: int64(w.birth.cut) + w.untold()},
	} {
		if l.Count > 0 {
			all = append(all, l)
		}
	}
	return all
}

// untold are executions and deeds that were counted and not told one by one.
func (w *writer) untold() int64 {
	var n uint64
	for _, s := range w.steps {
		for _, c := range []event.Counts{s.counts.Own, s.counts.Workload} {
			n += max(c.Execs, event.ExecsMax) - event.ExecsMax + c.Untold
		}
	}
	return int64(n)
}

func (w *writer) missEntrypoints() {
	if w.config.unheard(hooks.Exec) {
		return // missHooks has said it
	}
	for _, c := range w.seen.pod.Containers {
		if (c.Running || c.Ended != nil) && !w.ran[c.Name] && !w.refused(c.Name) {
			w.miss("the entrypoint of container %s", c.Name)
		}
	}
	if w.spec.Milestones.SandboxStarted == nil && w.hasSandbox() {
		w.miss("the start of the sandbox")
	}
}

// refused is true for a container whose entrypoint the runtime could not execute,
// so that there was none to hear.
func (w *writer) refused(container string) bool {
	a := attemptsOf(w.birth.events, w.seen)[container]
	return a != nil && a.last.failed
}

func (w *writer) hasSandbox() bool {
	for _, s := range w.steps {
		if s.role == event.RoleRuntime && s.who.Sandbox {
			return true
		}
	}
	return false
}

// attributedPercent is the share of what was heard whose pod, or whose having
// none, is known.
func attributedPercent(e *v1alpha1.CoverageEvents) string {
	if e.Heard == 0 || e.Unresolved == 0 {
		return "100.0"
	}
	// Rounded down: 100.0 means all.
	return fmt.Sprintf("%.1f", float64((e.Heard-e.Unresolved)*1000/e.Heard)/10)
}
