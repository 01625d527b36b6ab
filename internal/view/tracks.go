// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// track is one line of a trace's viewer. Its slices nest: of any two, one lies
// within the other, or they do not meet.
type track struct {
	name   string
	events []traceEvent
}

// party is whose track something belongs to.
type party struct {
	actor     v1alpha1.Actor
	container string
}

func (p party) String() string {
	name := string(p.actor)
	if name == "" {
		name = "Phases"
	}
	if p.container != "" {
		name += " " + p.container
	}
	return name
}

// tracks are those of a birth from top to bottom.
func tracks(c *v1alpha1.PodBirthCertificate) []track {
	s := &c.Spec
	birth := track{name: "Birth"}
	birth.events = append(birth.events, slice(c.Namespace+"/"+s.PodRef.Name, "birth", 0, s.KernelStats.DurationMicroseconds, birthArgs(c)))
	milestones := track{name: "Milestones"}
	for _, m := range marks(&s.Milestones) {
		milestones.events = append(milestones.events, instant(strings.TrimSpace(m.Container+" "+m.Text), "milestone", m.At, map[string]any{"clock": m.Clock}))
	}
	out := []track{birth}
	if len(milestones.events) > 0 {
		out = append(out, milestones)
	}
	phases, instants := map[party][]Row{}, map[party][]traceEvent{}
	for _, r := range rows(s.Phases) {
		p := party{actorOf(r.Name), r.Container}
		phases[p] = append(phases[p], r)
	}
	for _, e := range s.Timeline {
		p := party{e.Actor, e.Container}
		args := map[string]any{}
		if e.Detail != "" {
			args["detail"] = e.Detail
		}
		instants[p] = append(instants[p], instant(e.Action, "event", e.OffsetMicroseconds, args))
	}
	for _, p := range parties(s, phases, instants) {
		out = append(out, lanes(p.String(), phases[p], instants[p])...)
	}
	return out
}

// parties are those that did anything, the pod's before the containers', and
// containers in the order in which they were first heard of.
func parties(s *v1alpha1.PodBirthCertificateSpec, phases map[party][]Row, instants map[party][]traceEvent) []party {
	order := []string{"", v1alpha1.SandboxContainer}
	see := func(container string) {
		if !slices.Contains(order, container) {
			order = append(order, container)
		}
	}
	for _, r := range rows(s.Phases) {
		see(r.Container)
	}
	for _, e := range s.Timeline {
		see(e.Container)
	}
	actors := []v1alpha1.Actor{v1alpha1.ActorScheduler, v1alpha1.ActorKubelet, v1alpha1.ActorCNI, v1alpha1.ActorRuntime, v1alpha1.ActorKernel, v1alpha1.ActorWorkload, ""}
	var out []party
	add := func(p party) {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	for p := range phases {
		add(p)
	}
	for p := range instants {
		add(p)
	}
	slices.SortFunc(out, func(a, b party) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.container), slices.Index(order, b.container)),
			cmp.Compare(slices.Index(actors, a.actor), slices.Index(actors, b.actor)), cmp.Compare(a.actor, b.actor))
	})
	return out
}

// lanes spreads phases over as many tracks as it takes for each of them to nest.
func lanes(name string, phases []Row, instants []traceEvent) []track {
	slices.SortStableFunc(phases, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.StartMicroseconds, b.StartMicroseconds), cmp.Compare(b.DurationMicroseconds, a.DurationMicroseconds))
	})
	out := []track{{name: name}}
	open := [][]int64{nil} // of each lane the ends of the slices that are not over, innermost last
	for _, r := range phases {
		e := slice(phaseLabel(r.Name, r.Detail, ""), "phase", r.StartMicroseconds, r.DurationMicroseconds, phaseArgs(r))
		lane := slices.IndexFunc(open, func(ends []int64) bool { return nests(ends, &e) })
		if lane < 0 {
			lane = len(open)
			open = append(open, nil)
			out = append(out, track{name: fmt.Sprintf("%s (%d)", name, lane+1)})
		}
		open[lane] = append(stillOpen(open[lane], e.Time), e.Time+*e.Duration)
		out[lane].events = append(out[lane].events, e)
	}
	out[0].events = append(out[0].events, instants...)
	slices.SortStableFunc(out[0].events, func(a, b traceEvent) int { return cmp.Compare(a.Time, b.Time) })
	return out
}

// stillOpen are the slices that go on at a moment.
func stillOpen(ends []int64, at int64) []int64 {
	return slices.DeleteFunc(slices.Clone(ends), func(end int64) bool { return end <= at })
}

// nests is true if a slice lies within those that are open. One that is longer
// by the microsecond that rounding takes is cut by it.
func nests(ends []int64, e *traceEvent) bool {
	ends = stillOpen(ends, e.Time)
	if len(ends) == 0 {
		return true
	}
	innermost, to := ends[len(ends)-1], e.Time+*e.Duration
	if to == innermost+1 {
		shorter := *e.Duration - 1
		e.Duration = &shorter
		return true
	}
	return to <= innermost
}

// actorOf is by whose hand a phase is, as far as its name tells.
func actorOf(phase string) v1alpha1.Actor {
	for _, known := range []struct {
		prefix string
		actor  v1alpha1.Actor
	}{
		{"ImageRetry", v1alpha1.ActorKubelet}, {"SandboxRetry", v1alpha1.ActorKubelet}, {"ContainerRetry", v1alpha1.ActorKubelet},
		{"Schedul", v1alpha1.ActorScheduler}, {"Kubelet", v1alpha1.ActorKubelet}, {"Readiness", v1alpha1.ActorKubelet}, {"Probe", v1alpha1.ActorKubelet},
		{"Network", v1alpha1.ActorCNI}, {"CNI", v1alpha1.ActorCNI},
		{"Image", v1alpha1.ActorRuntime}, {"Sandbox", v1alpha1.ActorRuntime}, {"Shim", v1alpha1.ActorRuntime}, {"Container", v1alpha1.ActorRuntime},
		{"Startup", v1alpha1.ActorWorkload}, {"Init", v1alpha1.ActorWorkload}, {"Link", v1alpha1.ActorWorkload},
	} {
		if strings.HasPrefix(phase, known.prefix) {
			return known.actor
		}
	}
	return ""
}
