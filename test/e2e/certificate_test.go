// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// actorStats finds the counts of one actor.
func actorStats(c *v1alpha1.PodBirthCertificate, actor v1alpha1.Actor, container string) v1alpha1.ActorStats {
	for _, a := range c.Spec.KernelStats.Actors {
		if a.Actor == actor && a.Container == container {
			return a
		}
	}
	return v1alpha1.ActorStats{}
}

// actorNames are the actors of a certificate, each with its container.
func actorNames(c *v1alpha1.PodBirthCertificate) []string {
	var names []string
	for _, a := range c.Spec.KernelStats.Actors {
		names = append(names, strings.TrimSpace(string(a.Actor)+" "+a.Container))
	}
	slices.Sort(names)
	return names
}

// actorExecs are the execs of each actor, which are the same in every birth of
// the same kind.
func actorExecs(c *v1alpha1.PodBirthCertificate) string {
	var parts []string
	for _, a := range c.Spec.KernelStats.Actors {
		parts = append(parts, fmt.Sprintf("%s %s: %d", a.Actor, a.Container, a.Execs))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func milestonesOf(t *testing.T, c *v1alpha1.PodBirthCertificate, container string) v1alpha1.ContainerMilestones {
	t.Helper()
	for _, m := range c.Spec.Milestones.Containers {
		if m.Name == container {
			return m
		}
	}
	t.Fatalf("certificate %s: container %s has no milestones", c.Name, container)
	return v1alpha1.ContainerMilestones{}
}

// momentOf is the wall time of a milestone.
func momentOf(c *v1alpha1.PodBirthCertificate, m *v1alpha1.Milestone) time.Time {
	return c.Spec.Origin.Time.Add(time.Duration(m.OffsetMicroseconds) * time.Microsecond)
}

// wantWhole fails unless the birth was heard to its end, all of it.
func wantWhole(t *testing.T, c *v1alpha1.PodBirthCertificate, outcome v1alpha1.Outcome) {
	t.Helper()
	if s := c.Spec; !s.Complete || len(s.Coverage.Missing) > 0 {
		t.Errorf("certificate %s: complete %t, missing %q; want all of it", c.Name, s.Complete, s.Coverage.Missing)
	}
	wantHeard(t, c, outcome)
}

// wantHeard fails unless the birth was heard to its end, and nothing of it was
// lost. Of the first of many births at once the observer may miss the first
// system calls: it begins to listen when a pod appears, and says so.
func wantHeard(t *testing.T, c *v1alpha1.PodBirthCertificate, outcome v1alpha1.Outcome) {
	t.Helper()
	s := c.Spec
	if s.Outcome != outcome || s.Coverage.AttributedPercent != "100.0" || s.Coverage.LostEvents != 0 {
		t.Errorf("certificate %s: outcome %s, coverage %s %%, lost %d, failure %+v; want %s, 100.0 %%, 0",
			c.Name, s.Outcome, s.Coverage.AttributedPercent, s.Coverage.LostEvents, s.Failure, outcome)
	}
	for _, missing := range s.Coverage.Missing {
		// Nor does it listen all the time to a birth that waits for its next attempt.
		if !strings.HasPrefix(missing, "system calls up to ") && !strings.HasSuffix(missing, "the birth rested between two attempts") {
			t.Errorf("certificate %s: missing %q", c.Name, missing)
		}
	}
	if uid := s.PodRef.UID; !strings.Contains(c.Name+"-", "-"+uid[:min(8, len(uid))]+"-") {
		t.Errorf("certificate %s is of pod UID %s", c.Name, s.PodRef.UID)
	}
	if got := c.Labels[v1alpha1.LabelPodUID]; got != s.PodRef.UID {
		t.Errorf("certificate %s: label %s is %q, want %s", c.Name, v1alpha1.LabelPodUID, got, s.PodRef.UID)
	}
	wantSize(t, c, 16<<10)
	var sum int64
	for _, a := range s.KernelStats.Actors {
		sum += a.Syscalls
	}
	if sum != s.KernelStats.TotalSyscalls {
		t.Errorf("certificate %s: totalSyscalls %d, the actors' sum is %d", c.Name, s.KernelStats.TotalSyscalls, sum)
	}
}

// wantSize fails if an object is larger than the contract allows, without what
// the API server keeps for itself.
func wantSize(t *testing.T, object client.Object, limit int) {
	t.Helper()
	copied, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		t.Fatalf("%T has no metadata", object)
	}
	copied.SetManagedFields(nil)
	if size := len(asJSON(t, copied)); size > limit {
		t.Errorf("%s has %d bytes, the limit is %d", object.GetName(), size, limit)
	}
}

// wantOrder fails unless the kernel's milestones are all there and follow one
// another. What may overtake on a busy machine is left out: a runtime that has
// released an entrypoint does not wait for its exec, and a pod without a probe
// is Ready when its containers were started.
func wantOrder(t *testing.T, c *v1alpha1.PodBirthCertificate) {
	t.Helper()
	m, own := c.Spec.Milestones, milestonesOf(t, c, app)
	wantSequence(t, c, map[string]*v1alpha1.Milestone{
		"1 sandboxCgroupCreated": m.SandboxCgroupCreated, "2 networkReady": m.NetworkReady, "3 created": own.Created,
		"4 entrypointExec": own.EntrypointExec, "5 firstListen": own.FirstListen,
	})
	wantSequence(t, c, map[string]*v1alpha1.Milestone{"2 networkReady": m.NetworkReady, "3 sandboxStarted": m.SandboxStarted})
	order := map[string]*v1alpha1.Milestone{"1 scheduled": m.Scheduled, "2 created": own.Created, "3 ready": m.Ready}
	if m.Ready != nil && m.Ready.Clock == v1alpha1.ClockAPI {
		// The watch was late: what is known is the whole second in which the pod became Ready.
		order["3 ready"] = &v1alpha1.Milestone{OffsetMicroseconds: m.Ready.OffsetMicroseconds + time.Second.Microseconds()}
	}
	wantSequence(t, c, order)
}

// wantSequence fails unless the milestones, sorted by name, are there and each
// is later than the one before.
func wantSequence(t *testing.T, c *v1alpha1.PodBirthCertificate, milestones map[string]*v1alpha1.Milestone) {
	t.Helper()
	before, name := int64(-1), "the beginning"
	for _, next := range slices.Sorted(maps.Keys(milestones)) {
		m := milestones[next]
		if m == nil {
			t.Errorf("certificate %s has no milestone %s", c.Name, next)
			return
		}
		latest := m.OffsetMicroseconds
		if m.Clock == v1alpha1.ClockAPI { // the second that it was in
			latest += time.Second.Microseconds()
		}
		if latest <= before {
			t.Errorf("certificate %s: %s at %d µs, %s at %d µs by the clock %s", c.Name, name, before, next, m.OffsetMicroseconds, m.Clock)
		}
		before, name = m.OffsetMicroseconds, next
	}
}

// wantStory fails unless the timeline tells these deeds in this order; others
// may stand between them.
func wantStory(t *testing.T, c *v1alpha1.PodBirthCertificate, story ...string) {
	t.Helper()
	var told []string
	next := 0
	var before int64
	for _, e := range c.Spec.Timeline {
		if e.OffsetMicroseconds < before {
			t.Errorf("certificate %s: the timeline goes back at %s", c.Name, e.Action)
		}
		before = e.OffsetMicroseconds
		deed := deedOf(e)
		told = append(told, deed)
		if next < len(story) && deed == story[next] {
			next++
		}
	}
	if next < len(story) {
		t.Errorf("certificate %s: the timeline does not tell %q in its place:\n%s", c.Name, story[next], strings.Join(told, "\n"))
	}
}

// wantTold fails unless the timeline tells these deeds, in any order.
func wantTold(t *testing.T, c *v1alpha1.PodBirthCertificate, deeds ...string) {
	t.Helper()
	for _, deed := range deeds {
		if !slices.ContainsFunc(c.Spec.Timeline, func(e v1alpha1.TimelineEntry) bool { return deedOf(e) == deed }) {
			t.Errorf("certificate %s: the timeline does not tell %q", c.Name, deed)
		}
	}
}

func deedOf(e v1alpha1.TimelineEntry) string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s", e.Actor, e.Action, e.Container)), " ")
}

// details are those of all timeline entries of one action.
func details(c *v1alpha1.PodBirthCertificate, action string) []string {
	var all []string
	for _, e := range c.Spec.Timeline {
		if e.Action == action {
			all = append(all, e.Detail)
		}
	}
	return all
}
