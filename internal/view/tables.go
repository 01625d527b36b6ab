// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Order of a list of births.
type Order string

// The orders: longest, most system calls, most waiting or youngest first.
const (
	ByDuration Order = "duration"
	BySyscalls Order = "syscalls"
	ByWait     Order = "wait"
	ByAge      Order = "age"
)

// Sorted is the list in an order. An unknown order is an error.
func Sorted(all []v1alpha1.PodBirthCertificate, by Order) ([]v1alpha1.PodBirthCertificate, error) {
	key, ok := map[Order]func(*v1alpha1.PodBirthCertificate) int64{
		ByDuration: func(c *v1alpha1.PodBirthCertificate) int64 { return c.Spec.KernelStats.DurationMicroseconds },
		BySyscalls: func(c *v1alpha1.PodBirthCertificate) int64 { return c.Spec.KernelStats.TotalSyscalls },
		ByWait:     waited,
		ByAge:      func(c *v1alpha1.PodBirthCertificate) int64 { return c.CreationTimestamp.UnixNano() },
	}[by]
	if !ok {
		return nil, fmt.Errorf("unknown order %q: use duration, syscalls, wait or age", by)
	}
	type birth struct {
		*v1alpha1.PodBirthCertificate
		key int64
	}
	births := make([]birth, len(all))
	for i := range all {
		births[i] = birth{&all[i], key(&all[i])}
	}
	slices.SortStableFunc(births, func(a, b birth) int {
		return cmp.Or(cmp.Compare(b.key, a.key), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	sorted := make([]v1alpha1.PodBirthCertificate, len(all))
	for i, b := range births {
		sorted[i] = *b.PodBirthCertificate
	}
	return sorted, nil
}

// ForBirths drops what neither Sorted nor Births looks at: of a big cluster it is most
// of the memory.
func ForBirths(all []v1alpha1.PodBirthCertificate) {
	for i := range all {
		c := &all[i]
		forTable(c)
		s := &c.Spec
		s.Timeline, s.Milestones, s.KernelStats.TopSyscalls = nil, v1alpha1.Milestones{}, nil
		s.Coverage.Missing, s.Coverage.Lost = nil, nil
		for j := range s.Phases {
			s.Phases[j].Waits = nil
		}
		c.Status = v1alpha1.PodBirthCertificateStatus{}
	}
}

func forTable(o metav1.Object) {
	o.SetManagedFields(nil)
	o.SetLabels(nil)
	o.SetAnnotations(nil)
}

// Births renders certificates as a table, in the order in which they come.
func Births(out io.Writer, all []v1alpha1.PodBirthCertificate, t Terminal, withNamespace bool, now time.Time) error {
	p := newPage(out, t)
	tab := table{columns: []column{
		{title: "NAMESPACE", rank: 8, least: 9}, {title: "POD", rank: 9, least: 12}, {title: "OUTCOME"}, {title: "ATTEMPTS", rank: 5},
		{title: "DURATION", right: true}, {title: "WAITED", right: true, rank: 4}, {title: "SYSCALLS", right: true, rank: 7},
		{title: "WORKLOAD", right: true, rank: 2}, {title: "HEARD", right: true, rank: 3}, {title: "AGE", right: true, rank: 6},
		{title: "LONGEST PHASE", rank: 1, least: 13},
	}}
	for i := range all {
		c := cleaned(&all[i])
		s := &c.Spec
		outcome, last := toneOf(s.Outcome), text{s: longestPhase(s.Phases)}
		if s.Failure != nil {
			last = text{failedAt(s.Failure), bad}
		}
		workload := "-"
		if s.KernelStats.TotalSyscalls > 0 {
			workload = Number(workloadSyscalls(s.KernelStats.Actors))
		}
		tab.add(text{s: c.Namespace}, text{s: s.PodRef.Name}, text{string(s.Outcome), outcome}, attempts(s.FailedAttempts),
			text{s: s.Duration}, text{s: waitedIn(c)}, text{s: counted(s.KernelStats.TotalSyscalls)},
			text{s: workload}, text{s: s.Coverage.AttributedPercent + "%"},
			text{s: age(c.CreationTimestamp, now)}, last)
	}
	if !withNamespace {
		tab.dropFirst()
	}
	tab.write(p)
	return p.flush()
}

func toneOf(o v1alpha1.Outcome) tone {
	switch o {
	case v1alpha1.OutcomeReady:
		return good
	case v1alpha1.OutcomeFailed:
		return bad
	}
	return inWait
}

// failedAt is where a birth died, and of what.
func failedAt(f *v1alpha1.BirthFailure) string {
	out := "failed at " + placeOf(f)
	if cause := causeOf(f); cause != "" {
		out += ": " + cause
	}
	return out
}

func attempts(failed int32) text {
	if failed == 0 {
		return text{s: "first"}
	}
	return text{fmt.Sprintf("%d failed", failed), bad}
}

func severityTone(s v1alpha1.Severity) tone {
	switch s {
	case v1alpha1.SeverityCritical:
		return bad
	case v1alpha1.SeverityWarning:
		return inWait
	}
	return plain
}

// waited is the time for which the measured phases of a birth stood still; -1
// where none was measured. A phase within another one is a part of it and not
// counted again.
func waited(c *v1alpha1.PodBirthCertificate) int64 {
	sum := int64(-1)
	within := -1 // the depth of the measured phase that the rows are within
	for _, r := range rows(c.Spec.Phases) {
		if within >= 0 && r.Depth > within {
			continue
		}
		within = -1
		if r.WaitMicroseconds != nil {
			sum, within = max(sum, 0)+r.Waiting, r.Depth
		}
	}
	return sum
}

func waitedIn(c *v1alpha1.PodBirthCertificate) string {
	if sum := waited(c); sum >= 0 {
		return span(sum)
	}
	return "-"
}

func workloadSyscalls(actors []v1alpha1.ActorStats) int64 {
	var sum int64
	for _, a := range actors {
		if a.Actor == v1alpha1.ActorWorkload && a.Container != v1alpha1.SandboxContainer {
			sum += a.Syscalls
		}
	}
	return sum
}

func longestPhase(phases []v1alpha1.Phase) string {
	if len(phases) == 0 {
		return "-"
	}
	longest := slices.MaxFunc(phases, func(a, b v1alpha1.Phase) int {
		return cmp.Compare(a.DurationMicroseconds, b.DurationMicroseconds)
	})
	return phaseLabel(longest.Name, longest.Detail, longest.Container) + " " + span(longest.DurationMicroseconds)
}

func age(created metav1.Time, now time.Time) string {
	if created.IsZero() {
		return "-"
	}
	return duration.HumanDuration(now.Sub(created.Time))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
