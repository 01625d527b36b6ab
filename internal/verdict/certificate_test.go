// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// certificate is a birth of 1.34 s that was heard whole.
func certificate(change ...func(*v1alpha1.PodBirthCertificate)) *v1alpha1.PodBirthCertificate {
	c := &v1alpha1.PodBirthCertificate{
		ObjectMeta: metav1.ObjectMeta{Name: "web-5d9-abcde-7d0a6a2e", Namespace: "shop", Generation: 3},
		Spec: v1alpha1.PodBirthCertificateSpec{
			PodRef:      v1alpha1.PodReference{Name: "web-5d9-abcde", UID: "7d0a6a2e"},
			WorkloadRef: &v1alpha1.WorkloadReference{Kind: "ReplicaSet", Name: "web-5d9"},
			NodeName:    "node1",
			Complete:    true,
			Outcome:     v1alpha1.OutcomeReady,
			Duration:    "1.34s",
			Origin:      v1alpha1.Origin{Time: microTime(clock), Clock: v1alpha1.ClockWatch},
			Phases: []v1alpha1.Phase{
				{Name: "Sandbox", DurationMicroseconds: 210_000},
				{Name: "Network", StartMicroseconds: 90_000, DurationMicroseconds: 402_000},
				{Name: "ContainerCreate", Container: "app", StartMicroseconds: 700_000, DurationMicroseconds: 130_000},
			},
			KernelStats: v1alpha1.KernelStats{TotalSyscalls: 4_812, DurationMicroseconds: 1_340_000, WindowMicroseconds: 1_900_000},
			Coverage:    v1alpha1.Coverage{AttributedPercent: "100.0"},
		},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

// sibling is an earlier birth of the same workload.
func sibling(n int, took, network int64, change ...func(*v1alpha1.PodBirthCertificate)) v1alpha1.PodBirthCertificate {
	return *certificate(append([]func(*v1alpha1.PodBirthCertificate){func(c *v1alpha1.PodBirthCertificate) {
		c.Name, c.Spec.PodRef.UID = fmt.Sprintf("sibling-%d", n), fmt.Sprintf("sibling-%d", n)
		c.Spec.Origin.Time = microTime(clock.Add(-time.Duration(n) * time.Minute))
		c.Spec.KernelStats.DurationMicroseconds = took
		c.Spec.Phases[1].DurationMicroseconds = network
	}}, change...)...)
}

func siblings(n int, took, network int64) []v1alpha1.PodBirthCertificate {
	var out []v1alpha1.PodBirthCertificate
	for i := range n {
		out = append(out, sibling(i+1, took, network))
	}
	return out
}

func TestCertificateInsight(t *testing.T) {
	failed := func(took int64, failure v1alpha1.BirthFailure) *v1alpha1.PodBirthCertificate {
		return certificate(func(c *v1alpha1.PodBirthCertificate) {
			c.Spec.Outcome, c.Spec.Failure = v1alpha1.OutcomeFailed, &failure
			c.Spec.KernelStats.DurationMicroseconds = took
		})
	}
	tests := []struct {
		name        string
		certificate *v1alpha1.PodBirthCertificate
		others      []v1alpha1.PodBirthCertificate
		want        string
	}{
		{
			name: "the first of its workload", certificate: certificate(),
			want: "Born in 1.34s with 4,812 system calls; longest phase: Network, 402ms (30 %).",
		},
		{
			name: "slower than its siblings, by one phase", certificate: certificate(), others: siblings(12, 1_000_000, 80_000),
			want: "Born in 1.34s with 4,812 system calls; longest phase: Network, 402ms (30 %); 1.3 times the median of 12 earlier " +
				"births of ReplicaSet web-5d9 (the middle half of them 1.00s to 1.00s); what differs most is Network: 402ms, usually 80ms.",
		},
		{
			name: "slower than its siblings, by no phase in particular", certificate: certificate(), others: siblings(12, 430_000, 400_000),
			want: "Born in 1.34s with 4,812 system calls; longest phase: Network, 402ms (30 %); 3.1 times the median of 12 earlier " +
				"births of ReplicaSet web-5d9 (the middle half of them 430ms to 430ms).",
		},
		{
			name: "slower by a phase within another, which its siblings did not have",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.KernelStats.DurationMicroseconds = 9_340_000
				c.Spec.Phases = append(c.Spec.Phases,
					v1alpha1.Phase{Name: "KubeletContainer", Container: "app", StartMicroseconds: 1_000_000, DurationMicroseconds: 8_300_000},
					v1alpha1.Phase{Name: "ImagePull", Container: "app", StartMicroseconds: 1_000_000, DurationMicroseconds: 8_000_000})
			}), others: siblings(1, 1_340_000, 402_000),
			want: "Born in 9.34s with 4,812 system calls; longest phase: KubeletContainer of app, 8.30s (89 %); 7.0 times the median of 1 earlier " +
				"birth of ReplicaSet web-5d9; what differs most is ImagePull of app: 8.00s, usually none.",
		},
		{
			name: "the critical path, and what its longest phase waited for",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.Phases = []v1alpha1.Phase{
					{Name: "Startup", Container: "app", DurationMicroseconds: 1_300_000, CriticalMicroseconds: 40_000},
					{
						Name: "CNIPlugin", Detail: "bridge", DurationMicroseconds: 402_000, CriticalMicroseconds: 401_000,
						WaitMicroseconds: ptr[int64](390_000), Waits: &v1alpha1.PhaseWaits{LockMicroseconds: 380_000, RunnableMicroseconds: 10_000},
					},
				}
			}),
			want: "Born in 1.34s with 4,812 system calls; longest on the critical path: CNIPlugin bridge, 401ms (30 %), " +
				"of which 390ms waiting, most of it for a lock.",
		},
		{
			name: "as fast as the one before it", certificate: certificate(), others: siblings(1, 1_200_000, 80_000),
			want: "Born in 1.34s with 4,812 system calls; longest phase: Network, 402ms (30 %); 1.1 times the median of 1 earlier " +
				"birth of ReplicaSet web-5d9.",
		},
		{
			name: "a phase that waited, of a container",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.Phases[2].DurationMicroseconds, c.Spec.Phases[2].WaitMicroseconds = 670_000, ptr[int64](501_200)
			}),
			want: "Born in 1.34s with 4,812 system calls; longest phase: ContainerCreate of app, 670ms (50 %), of which 501ms waiting.",
		},
		{
			name: "runs but was not seen ready, and something was missed",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.Outcome, c.Spec.Complete, c.Spec.Phases = v1alpha1.OutcomeRunning, false, nil
			}),
			want: "Running after 1.34s with 4,812 system calls, Ready was not seen; not all of it was heard.",
		},
		{
			name: "under way",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.Outcome, c.Spec.UnderWay, c.Spec.Complete, c.Spec.Phases = v1alpha1.OutcomePending, true, false, nil
				c.Spec.Coverage.Missing = []string{"any words"}
			}),
			want: "Not born after 1.34s with 4,812 system calls, and under way.",
		},
		{
			name: "under way after attempts that failed, and something was missed",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.Outcome, c.Spec.UnderWay, c.Spec.Complete, c.Spec.Phases = v1alpha1.OutcomePending, true, false, nil
				c.Spec.FailedAttempts, c.Spec.Attempts = 1, []v1alpha1.StepAttempts{{Step: "Sandbox", Container: v1alpha1.SandboxContainer, Failed: 1}}
				c.Spec.Coverage.Missing = []string{"any words", "something"}
			}),
			want: "Not born after 1.34s with 4,812 system calls, after 1 failed attempt at Sandbox, and under way; not all of it was heard.",
		},
		{
			name: "born after attempts that failed",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.FailedAttempts = 5
				c.Spec.Attempts = []v1alpha1.StepAttempts{
					{Step: "Entrypoint", Container: "app", Failed: 1}, {Step: "ImagePull", Container: "app", Reason: "ErrImagePull", Failed: 4},
				}
			}),
			want: "Born in 1.34s with 4,812 system calls, after 5 failed attempts at ImagePull of container app (ErrImagePull) and elsewhere; " +
				"longest phase: Network, 402ms (30 %).",
		},
		{
			name: "born after an attempt of which only the kubelet's count tells",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.FailedAttempts, c.Spec.Attempts = 1, []v1alpha1.StepAttempts{{Container: "app", Failed: 1}}
			}),
			want: "Born in 1.34s with 4,812 system calls, after 1 failed attempt of container app; longest phase: Network, 402ms (30 %).",
		},
		{
			name: "a small part of a phase is critical",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.Phases = []v1alpha1.Phase{{
					Name: "Startup", Container: "app", DurationMicroseconds: 1_300_000, CriticalMicroseconds: 40_000, WaitMicroseconds: ptr[int64](900_000),
				}}
			}),
			want: "Born in 1.34s with 4,812 system calls; longest on the critical path: Startup of app, 40ms (3 %), " +
				"of a phase of 1.30s that waited for 900ms.",
		},
		{
			name: "system calls were not heard",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.KernelStats.TotalSyscalls, c.Spec.Complete = 0, false
			}),
			want: "Born in 1.34s; longest phase: Network, 402ms (30 %); not all of it was heard.",
		},
		{
			name: "a phase longer than the birth has no share of it",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.Phases[0].DurationMicroseconds, c.Spec.KernelStats.TotalSyscalls = 1_500_000, 1
			}),
			want: "Born in 1.34s with 1 system call; longest phase: Sandbox, 1.50s.",
		},
		{
			name: "failed in a system call",
			certificate: failed(840_000, v1alpha1.BirthFailure{
				Step: "ContainerCreate", Actor: v1alpha1.ActorRuntime, Container: "app", Errno: "ENOENT",
			}),
			want: "Birth failed after 840ms at step ContainerCreate of container app, done by Runtime: ENOENT (no such file or directory).",
		},
		{
			name:        "failed by an exit code",
			certificate: failed(2_000_000, v1alpha1.BirthFailure{Step: "Network", Actor: v1alpha1.ActorCNI, ExitCode: ptr[int32](1)}),
			want:        "Birth failed after 2.00s at step Network, done by CNI: exit code 1; the pod's network cannot be set up.",
		},
		{
			name: "failed by a signal, with an errno that has no words",
			certificate: failed(900, v1alpha1.BirthFailure{
				Step: "Entrypoint", Actor: v1alpha1.ActorWorkload, Container: "app", Errno: "EOWNERDEAD", Signal: "SIGKILL",
			}),
			want: "Birth failed after 900µs at step Entrypoint of container app, done by Workload: EOWNERDEAD, killed by SIGKILL.",
		},
		{
			name: "failed, and tried again",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.Outcome, c.Spec.Complete, c.Spec.UnderWay, c.Spec.FailedAttempts = v1alpha1.OutcomeFailed, false, true, 2
				c.Spec.Coverage.Missing = []string{"any words"}
			}),
			want: "Birth failed after 1.34s; where is not known; the kubelet keeps trying, 2 attempts have failed.",
		},
		{
			name: "failed without a word why",
			certificate: certificate(func(c *v1alpha1.PodBirthCertificate) {
				c.Spec.Outcome = v1alpha1.OutcomeFailed
			}),
			want: "Birth failed after 1.34s; where is not known.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := verdict.Certificate(tt.certificate, tt.others, clock)
			same(t, "insight", got.Insight, tt.want)
			holds(t, got.Conditions, v1alpha1.ConditionAssessed, metav1.ConditionTrue, verdict.ReasonJudged)
		})
	}
}
func TestDurationsForPeople(t *testing.T) {
	for us, want := range map[int64]string{
		-5: "0µs", 0: "0µs", 999: "999µs", 1_000: "1ms", 512_400: "512ms", 999_499: "999ms", 999_500: "1.00s",
		1_340_000: "1.34s", 9_994_999: "9.99s", 9_995_000: "10.0s", 59_949_999: "59.9s", 59_950_000: "1m00s",
		125_000_000: "2m05s", 3_599_499_999: "59m59s", 3_599_500_000: "1h00m", math.MaxInt64: "2562047788h01m",
	} {
		c := certificate(func(c *v1alpha1.PodBirthCertificate) {
			c.Spec.KernelStats, c.Spec.Phases = v1alpha1.KernelStats{DurationMicroseconds: us}, nil
		})
		same(t, fmt.Sprint(us), verdict.Certificate(c, nil, clock).Insight, "Born in "+want+".")
	}
}

func TestCertificateJudged(t *testing.T) {
	c := certificate()
	if verdict.CertificateJudged(c) {
		t.Error("a certificate without status counts as judged")
	}
	c.Status = verdict.Certificate(c, nil, clock)
	if !verdict.CertificateJudged(c) {
		t.Error("a judged certificate does not count as judged")
	}
	c.Generation++
	if verdict.CertificateJudged(c) {
		t.Error("a changed certificate counts as judged")
	}
}

func FuzzCertificate(f *testing.F) {
	f.Add("Ready", "Network", "app", "ENOENT", int64(1_340_000), int64(402_000), int64(80_000), int64(4_812))
	f.Add("Failed", strings.Repeat("ü", 300), strings.Repeat("漢", 300), "\x1b[0m", int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MinInt64), int64(-1))
	f.Add("Running", "", "\xff", "", int64(0), int64(math.MinInt64), int64(0), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, outcome, phase, container, errno string, took, phaseTook, usual, syscalls int64) {
		c := certificate(func(c *v1alpha1.PodBirthCertificate) {
			c.Spec.Outcome = v1alpha1.Outcome(outcome)
			c.Spec.Failure = &v1alpha1.BirthFailure{Step: phase, Actor: v1alpha1.Actor(container), Container: container, Errno: errno}
			c.Spec.WorkloadRef.Name = container
			c.Spec.Phases = []v1alpha1.Phase{{Name: phase, Container: container, DurationMicroseconds: phaseTook, WaitMicroseconds: &usual}}
			c.Spec.KernelStats = v1alpha1.KernelStats{TotalSyscalls: syscalls, DurationMicroseconds: took}
		})
		other := c.DeepCopy()
		other.Name, other.Spec.PodRef.UID, other.Spec.Origin.Time = "other", "other", microTime(clock.Add(-time.Hour))
		other.Spec.KernelStats.DurationMicroseconds, other.Spec.Phases[0].DurationMicroseconds = usual, usual
		status := verdict.Certificate(c, []v1alpha1.PodBirthCertificate{*other, *other}, clock)
		bounded(t, status.Insight, status.Conditions[0].Message)
	})
}
