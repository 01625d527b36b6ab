// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Order of a table of births.
type Order string

// The orders: longest, most system calls, most waiting or youngest first.
const (
	ByDuration Order = "duration"
	BySyscalls Order = "syscalls"
	ByWait     Order = "wait"
	ByAge      Order = "age"
)

// Births renders certificates as a table. An unknown order is an error.
func Births(out io.Writer, all []v1alpha1.PodBirthCertificate, by Order, withNamespace bool, now time.Time) error {
	key, ok := map[Order]func(*v1alpha1.PodBirthCertificate) int64{
		ByDuration: func(c *v1alpha1.PodBirthCertificate) int64 { return c.Spec.KernelStats.DurationMicroseconds },
		BySyscalls: func(c *v1alpha1.PodBirthCertificate) int64 { return c.Spec.KernelStats.TotalSyscalls },
		ByWait:     waited,
		ByAge:      func(c *v1alpha1.PodBirthCertificate) int64 { return c.CreationTimestamp.UnixNano() },
	}[by]
	if !ok {
		return fmt.Errorf("unknown order %q: use duration, syscalls, wait or age", by)
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b v1alpha1.PodBirthCertificate) int {
		return cmp.Or(cmp.Compare(key(&b), key(&a)), cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name))
	})
	p := printer{w: tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)}
	p.row(withNamespace, "NAMESPACE", "POD\tOUTCOME\tDURATION\tWAITED\tSYSCALLS\tWORKLOAD\tLONGEST PHASE\tHEARD\tAGE")
	for _, c := range sorted {
		s := c.Spec
		p.row(withNamespace, c.Namespace, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s%%\t%s", s.PodRef.Name, s.Outcome, s.Duration,
			microseconds(waited(&c)), Number(s.KernelStats.TotalSyscalls), Number(workloadSyscalls(s.KernelStats.Actors)),
			longestPhase(s.Phases), s.Coverage.AttributedPercent, age(c.CreationTimestamp, now)))
	}
	p.flush()
	return p.err
}

// Whispers renders whispers as a table, those that go on first, then the youngest.
func Whispers(out io.Writer, all []v1alpha1.KernelWhisper, withNamespace bool, now time.Time) error {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b v1alpha1.KernelWhisper) int {
		if (a.Spec.EndTime == nil) != (b.Spec.EndTime == nil) {
			if a.Spec.EndTime == nil {
				return -1
			}
			return 1
		}
		return b.Spec.StartTime.Compare(a.Spec.StartTime.Time)
	})
	p := printer{w: tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)}
	p.row(withNamespace, "NAMESPACE", "POD\tCONTAINER\tSEVERITY\tTHROTTLED\tMETRICS SAY\tUSED\tHELD BACK\tLASTED\tAGE")
	for _, w := range sorted {
		s, k := w.Spec, w.Spec.KernelTruth
		claim := "-"
		if m := w.Status.MetricsLie; m != nil {
			claim = m.PercentOfLimit + "%"
		}
		p.row(withNamespace, w.Namespace, fmt.Sprintf("%s\t%s\t%s\t%s%%\t%s\t%s\t%s\t%s\t%s", s.PodRef.Name, s.ContainerName,
			orDash(string(w.Status.Severity)), k.ThrottledPercent, claim, Millicores(k.UsageMillicores), Millicores(heldBack(k)),
			lasted(&w, now), age(w.CreationTimestamp, now)))
	}
	p.flush()
	return p.err
}

func (p *printer) row(withNamespace bool, namespace, rest string) {
	if withNamespace {
		rest = namespace + "\t" + rest
	}
	p.line("%s", rest)
}

// waited is the time for which the measured phases of a birth stood still.
func waited(c *v1alpha1.PodBirthCertificate) int64 {
	var sum int64
	for _, ph := range c.Spec.Phases {
		if ph.WaitMicroseconds != nil {
			sum += *ph.WaitMicroseconds
		}
	}
	return sum
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
	return longest.Name + " " + microseconds(longest.DurationMicroseconds)
}

func lasted(w *v1alpha1.KernelWhisper, now time.Time) string {
	if end := w.Spec.EndTime; end != nil {
		return duration.HumanDuration(end.Sub(w.Spec.StartTime.Time))
	}
	return duration.HumanDuration(now.Sub(w.Spec.StartTime.Time)) + " so far"
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
