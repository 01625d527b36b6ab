// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Layout is a birth laid out in time: what every picture of it shows, before
// anything is drawn.
type Layout struct {
	// Total is the length of the axis in microseconds from the origin: the
	// birth's duration, or more where something went on after it. 0 means that
	// there is nothing to draw.
	Total int64
	// Rows in the order in which they are drawn: each phase is followed by those
	// within it.
	Rows []Row
	// Marks are the milestones in the order of their moments.
	Marks []Mark
}

// Row is one phase. Its parts are shares of its time; when each of them was is not known.
type Row struct {
	v1alpha1.Phase
	// Depth is within how many other phases this one lies.
	Depth int
	// OnCPU, Waiting and Unmeasured sum up to the phase's duration, in microseconds.
	OnCPU, Waiting, Unmeasured int64
}

// Critical is true for a phase of which a part lies on the critical path.
func (r Row) Critical() bool { return r.CriticalMicroseconds > 0 }

// Label names the phase and what it was for.
func (r Row) Label() string { return phaseLabel(r.Name, r.Detail, r.Container) }

func phaseLabel(name, detail, container string) string {
	return strings.Join(slices.DeleteFunc([]string{name, detail, container}, func(s string) bool { return s == "" }), " ")
}

// Mark is one milestone.
type Mark struct {
	// At is the time since the origin in microseconds.
	At int64
	// Container of the milestone, empty for one of the pod.
	Container string
	// Text names it in a word or two.
	Text string
	// Clock that it was taken by.
	Clock v1alpha1.Clock
}

// Lay lays a birth out.
func Lay(s *v1alpha1.PodBirthCertificateSpec) Layout {
	l := Layout{Total: s.KernelStats.DurationMicroseconds, Rows: rows(s.Phases), Marks: marks(&s.Milestones)}
	for _, r := range l.Rows {
		l.Total = max(l.Total, end(r.Phase))
	}
	for _, m := range l.Marks {
		l.Total = max(l.Total, m.At)
	}
	return l
}

// has tells which kinds of bars there are.
func (l Layout) has() (measured, unmeasured, isCritical bool) {
	for _, r := range l.Rows {
		measured = measured || r.Unmeasured == 0
		unmeasured = unmeasured || r.Unmeasured > 0
		isCritical = isCritical || r.Critical()
	}
	return measured, unmeasured, isCritical
}

func end(p v1alpha1.Phase) int64 { return p.StartMicroseconds + p.DurationMicroseconds }

// rows puts each phase beneath the innermost one that it lies within.
func rows(phases []v1alpha1.Phase) []Row {
	sorted := slices.Clone(phases)
	slices.SortStableFunc(sorted, func(a, b v1alpha1.Phase) int {
		return cmp.Or(cmp.Compare(a.StartMicroseconds, b.StartMicroseconds), cmp.Compare(b.DurationMicroseconds, a.DurationMicroseconds))
	})
	const none = -1
	within := map[int][]int{}
	for i, p := range sorted {
		parent := none
		for j := range i {
			if contains(sorted[j], p) && (parent == none || sorted[j].DurationMicroseconds <= sorted[parent].DurationMicroseconds) {
				parent = j
			}
		}
		within[parent] = append(within[parent], i)
	}
	var out []Row
	var add func(parent, depth int)
	add = func(parent, depth int) {
		for _, i := range within[parent] {
			out = append(out, newRow(sorted[i], depth))
			add(i, depth+1)
		}
	}
	add(none, 0)
	return out
}

// contains is true if an inner phase is a part of an outer one: it lies within
// its time (to a microsecond, because starts and durations are rounded apart),
// and is not of another container that only happened to start meanwhile.
func contains(outer, inner v1alpha1.Phase) bool {
	return outer.StartMicroseconds <= inner.StartMicroseconds && end(inner) <= end(outer)+1 &&
		(outer.Container == "" || outer.Container == inner.Container)
}

func newRow(p v1alpha1.Phase, depth int) Row {
	r := Row{Phase: p, Depth: depth, Unmeasured: p.DurationMicroseconds}
	if p.WaitMicroseconds != nil {
		r.Waiting = min(*p.WaitMicroseconds, p.DurationMicroseconds)
		r.OnCPU, r.Unmeasured = p.DurationMicroseconds-r.Waiting, 0
	}
	return r
}

// marks lists all milestones of a birth.
func marks(m *v1alpha1.Milestones) []Mark {
	var out []Mark
	add := func(container, text string, at *v1alpha1.Milestone) {
		if at != nil {
			out = append(out, Mark{At: at.OffsetMicroseconds, Container: container, Text: text, Clock: at.Clock})
		}
	}
	add("", "scheduled", m.Scheduled)
	add("", "pod cgroup", m.SandboxCgroupCreated)
	add("", "network ready", m.NetworkReady)
	add("", "sandbox started", m.SandboxStarted)
	for _, c := range m.Containers {
		add(c.Name, "image ready", c.ImageReady)
		add(c.Name, "root mounted", c.RootMounted)
		add(c.Name, "cgroup", c.Created)
		add(c.Name, "seccomp", c.SeccompApplied)
		add(c.Name, "exec", c.EntrypointExec)
		add(c.Name, "main", c.Linked)
		add(c.Name, "listens", c.FirstListen)
		add(c.Name, "accepts", c.FirstAccept)
		add(c.Name, "started", c.Started)
		add(c.Name, "ready", c.Ready)
		add(c.Name, "ended", c.Ended)
	}
	add("", "Ready", m.Ready)
	slices.SortStableFunc(out, func(a, b Mark) int { return cmp.Compare(a.At, b.At) })
	return out
}
