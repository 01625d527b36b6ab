// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"reflect"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// pulled is a birth that took eight seconds longer, because an image was pulled.
func pulled() *v1alpha1.PodBirthCertificate {
	return certificate(func(c *v1alpha1.PodBirthCertificate) {
		c.Spec.KernelStats.DurationMicroseconds = 9_340_000
		c.Spec.Phases = append(c.Spec.Phases, v1alpha1.Phase{Name: "ImagePull", Container: "app", StartMicroseconds: 1_000_000, DurationMicroseconds: 8_000_000})
	})
}

// pulledBefore is an earlier one of the same workload.
func pulledBefore(complete bool) v1alpha1.PodBirthCertificate {
	c := sibling(40, 9_340_000, 402_000)
	c.Spec.Phases = append(c.Spec.Phases, pulled().Spec.Phases[3])
	return incompleteUnless(complete, c)
}

func incomplete(all []v1alpha1.PodBirthCertificate) []v1alpha1.PodBirthCertificate {
	for i := range all {
		all[i] = incompleteUnless(false, all[i])
	}
	return all
}

// incompleteUnless lacks something that is not its beginning.
func incompleteUnless(complete bool, c v1alpha1.PodBirthCertificate) v1alpha1.PodBirthCertificate {
	c.Spec.Complete, c.Spec.Milestones.Scheduled = complete, &v1alpha1.Milestone{}
	return c
}

// What a phase usually takes, it takes in most births: not in the few that have it.
func TestUsuallyIsInMostBirths(t *testing.T) {
	for _, tt := range []struct {
		name   string
		others []v1alpha1.PodBirthCertificate
		want   string
	}{
		{
			name:   "one of twelve siblings had it as well",
			others: append(siblings(11, 1_340_000, 402_000), pulledBefore(true)),
			want: "Born in 9.34s with 4,812 system calls; longest phase: ImagePull of app, 8.00s (86 %); 7.0 times the median of 12 earlier " +
				"births of ReplicaSet web-5d9 (the middle half of them 1.34s to 1.34s); what differs most is ImagePull of app: 8.00s, usually none.",
		},
		{
			name:   "of siblings that are not complete what they lack is not known",
			others: append(incomplete(siblings(11, 1_340_000, 402_000)), pulledBefore(false)),
			want: "Born in 9.34s with 4,812 system calls; longest phase: ImagePull of app, 8.00s (86 %); 7.0 times the median of 12 earlier " +
				"births of ReplicaSet web-5d9 (the middle half of them 1.34s to 1.34s).",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			same(t, "insight", verdict.Certificate(pulled(), tt.others, clock).Insight, tt.want)
		})
	}
}

func TestComparisonTakesOnlyWhatCanBeCompared(t *testing.T) {
	one := func(change func(*v1alpha1.PodBirthCertificate)) []v1alpha1.PodBirthCertificate {
		return []v1alpha1.PodBirthCertificate{sibling(1, 1_000_000, 80_000, change)}
	}
	tests := []struct {
		name   string
		others []v1alpha1.PodBirthCertificate
		births int32
		basis  string
	}{
		{"an earlier sibling", one(func(*v1alpha1.PodBirthCertificate) {}), 1, "Compared with 1 earlier birth of the workload."},
		{"itself", one(func(c *v1alpha1.PodBirthCertificate) {
			c.Name = certificate(func(*v1alpha1.PodBirthCertificate) {}).Name
		}), 0, ""},
		{"the same static pod, born before", one(func(c *v1alpha1.PodBirthCertificate) { c.Spec.PodRef.UID = "7d0a6a2e" }), 1, "Compared with 1 earlier birth of the workload."},
		{"a later one", one(func(c *v1alpha1.PodBirthCertificate) { c.Spec.Origin.Time = microTime(clock.Add(time.Second)) }), 0, ""},
		{"one of another namespace", one(func(c *v1alpha1.PodBirthCertificate) { c.Namespace = "other" }), 0, ""},
		{"one of another workload", one(func(c *v1alpha1.PodBirthCertificate) { c.Spec.WorkloadRef.Name = "api-7f" }), 0, ""},
		{"one without a workload", one(func(c *v1alpha1.PodBirthCertificate) { c.Spec.WorkloadRef = nil }), 0, ""},
		{"one that failed", one(func(c *v1alpha1.PodBirthCertificate) { c.Spec.Outcome = v1alpha1.OutcomeFailed }), 0, ""},
		{"one that was never ready", one(func(c *v1alpha1.PodBirthCertificate) { c.Spec.Outcome = v1alpha1.OutcomeRunning }), 0, ""},
		{"one whose beginning was missed", one(func(c *v1alpha1.PodBirthCertificate) { c.Spec.Complete = false }), 0, ""},
		{"one that missed something but not the beginning", one(func(c *v1alpha1.PodBirthCertificate) {
			c.Spec.Complete, c.Spec.Milestones.Scheduled = false, &v1alpha1.Milestone{Clock: v1alpha1.ClockWatch}
		}), 1, ""},
		{"one that took no time", one(func(c *v1alpha1.PodBirthCertificate) { c.Spec.KernelStats.DurationMicroseconds = 0 }), 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status := verdict.Certificate(certificate(), tt.others, clock)
			if got := births(status.Comparison); got != tt.births {
				t.Errorf("compared with %d births, want %d", got, tt.births)
			}
			if tt.basis != "" {
				same(t, "basis", meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAssessed).Message, tt.basis)
			}
		})
	}
}

func births(c *v1alpha1.BirthComparison) int32 {
	if c == nil {
		return 0
	}
	return c.Births
}

func TestNoComparisonSaysWhy(t *testing.T) {
	tests := []struct {
		name   string
		change func(*v1alpha1.PodBirthCertificate)
		want   string
	}{
		{"no controller", func(c *v1alpha1.PodBirthCertificate) { c.Spec.WorkloadRef = nil }, "Not compared: the pod has no controller."},
		{"failed", func(c *v1alpha1.PodBirthCertificate) { c.Spec.Outcome = v1alpha1.OutcomeFailed },
			"Not compared: a birth that failed has no duration to compare."},
		{"beginning missed", func(c *v1alpha1.PodBirthCertificate) { c.Spec.Complete = false },
			"Not compared: the beginning of the birth was not heard."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status := verdict.Certificate(certificate(tt.change), siblings(3, 1_000_000, 80_000), clock)
			if status.Comparison != nil {
				t.Errorf("comparison = %+v, want none", status.Comparison)
			}
			same(t, "message", status.Conditions[0].Message, tt.want)
		})
	}
}

func TestComparisonFigures(t *testing.T) {
	others := []v1alpha1.PodBirthCertificate{sibling(1, 400_000, 1), sibling(2, 900_001, 1), sibling(3, 500_000, 1), sibling(4, 100_000, 1)}
	got := verdict.Certificate(certificate(), others, clock).Comparison
	if want := (v1alpha1.BirthComparison{
		Births: 4, MedianMicroseconds: 450_000, Ratio: "2.98",
		LowerQuartileMicroseconds: ptr[int64](250_000), UpperQuartileMicroseconds: ptr[int64](700_000),
	}); !reflect.DeepEqual(*got, want) {
		t.Errorf("comparison = %+v, want %+v", *got, want)
	}
	if three := verdict.Certificate(certificate(), others[:3], clock).Comparison; three.LowerQuartileMicroseconds != nil {
		t.Errorf("three births have a middle half: %+v", three)
	}
	// 100 siblings of one second are nearer than the hundred slow ones before them.
	many := siblings(100, 1_000_000, 1)
	for i := range 100 {
		many = append(many, sibling(1_000+i, 90_000_000, 1))
	}
	got = verdict.Certificate(certificate(), many, clock).Comparison
	if want := (v1alpha1.BirthComparison{
		Births: 100, MedianMicroseconds: 1_000_000, Ratio: "1.34",
		LowerQuartileMicroseconds: ptr[int64](1_000_000), UpperQuartileMicroseconds: ptr[int64](1_000_000),
		Phase: &v1alpha1.PhaseComparison{Name: "Network", Microseconds: 402_000, MedianMicroseconds: 1},
	}); !reflect.DeepEqual(*got, want) {
		t.Errorf("comparison = %+v, want %+v", *got, want)
	}
}
