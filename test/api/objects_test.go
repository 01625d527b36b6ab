// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func ptr[T any](v T) *T { return &v }

func micro(t time.Time) metav1.MicroTime { return metav1.NewMicroTime(t.Truncate(time.Microsecond)) }

func milestone(us int64) *v1alpha1.Milestone {
	return &v1alpha1.Milestone{OffsetMicroseconds: us, Clock: v1alpha1.ClockKernel}
}

// minimalWhisper holds what the schema asks for and nothing else.
func minimalWhisper(namespace string) *v1alpha1.KernelWhisper {
	now := time.Now()
	return &v1alpha1.KernelWhisper{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KernelWhisper"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "burner-app-1"},
		Spec: v1alpha1.KernelWhisperSpec{
			PodRef:        v1alpha1.PodReference{Name: "burner", UID: "7d0a6a2e-0c1e-4a37-9a44-2c8a36f1b7aa"},
			NodeName:      "node1",
			ContainerName: "app",
			Reason:        v1alpha1.ReasonCPUThrottling,
			StartTime:     micro(now.Add(-20 * time.Second)),
			LastSeenTime:  micro(now),
			KernelTruth: v1alpha1.KernelTruth{
				WindowMilliseconds: 10_000, Periods: 99, ThrottledPeriods: 97, ThrottledPercent: "98.0",
				ThrottledMicroseconds: 6_120_000, UsageMillicores: 100, DemandMillicores: 712,
				QuotaMicroseconds: 10_000, PeriodMicroseconds: 100_000, ThrottledAt: v1alpha1.ThrottledAtContainer,
			},
		},
	}
}

// fullWhisper has every field.
func fullWhisper(namespace string) *v1alpha1.KernelWhisper {
	w := minimalWhisper(namespace)
	w.Labels = map[string]string{v1alpha1.LabelPodUID: w.Spec.PodRef.UID, v1alpha1.LabelNode: "node1"}
	w.Spec.EndTime = w.Spec.LastSeenTime.DeepCopy()
	k := &w.Spec.KernelTruth
	k.ThreadTimeLostPercent = "86.1"
	k.StallP50Microseconds, k.StallP99Microseconds = ptr[int64](61_000), ptr[int64](91_000)
	k.RunQueueWaitP99Microseconds, k.ContextSwitches, k.RunnableThreadsMax = ptr[int64](800), ptr[int64](4_211), ptr[int64](3)
	w.Spec.Evidence = []v1alpha1.Evidence{
		{Source: "cpu.stat nr_throttled of /kubepods/pod7d0a/app", Before: "12", After: "109"},
		{Source: "cpu.stat nr_periods of /kubepods/pod7d0a/app", Before: "14", After: "113"},
	}
	return w
}

// minimalCertificate holds what the schema asks for and nothing else.
func minimalCertificate(namespace string) *v1alpha1.PodBirthCertificate {
	return &v1alpha1.PodBirthCertificate{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PodBirthCertificate"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web-7d0a6a2e"},
		Spec: v1alpha1.PodBirthCertificateSpec{
			PodRef:      v1alpha1.PodReference{Name: "web", UID: "7d0a6a2e-0c1e-4a37-9a44-2c8a36f1b7aa"},
			NodeName:    "node1",
			Complete:    false,
			Outcome:     v1alpha1.OutcomeRunning,
			Duration:    "512ms",
			Origin:      v1alpha1.Origin{Time: micro(time.Now()), Clock: v1alpha1.ClockKernel},
			KernelStats: v1alpha1.KernelStats{TotalSyscalls: 4_812, CgroupsCreated: 2, DurationMicroseconds: 512_000, WindowMicroseconds: 900_000},
			Coverage:    v1alpha1.Coverage{AttributedPercent: "99.2"},
		},
	}
}

// fullCertificate has every field that a birth that succeeded can have.
func fullCertificate(namespace string) *v1alpha1.PodBirthCertificate {
	c := minimalCertificate(namespace)
	c.Labels = map[string]string{v1alpha1.LabelPodUID: c.Spec.PodRef.UID, v1alpha1.LabelNode: "node1"}
	s := &c.Spec
	s.WorkloadRef = &v1alpha1.WorkloadReference{Kind: "ReplicaSet", Name: "web-5d9"}
	s.Runtime, s.Complete, s.Outcome = "containerd", true, v1alpha1.OutcomeReady
	s.Milestones = v1alpha1.Milestones{
		Scheduled:            &v1alpha1.Milestone{Clock: v1alpha1.ClockWatch},
		SandboxCgroupCreated: milestone(41_000), NetworkReady: milestone(230_000), SandboxStarted: milestone(310_000),
		Containers: []v1alpha1.ContainerMilestones{{
			Name: "app", ImageReady: milestone(320_000), Created: milestone(350_000),
			EntrypointExec: milestone(430_000), FirstListen: milestone(441_000), FirstAccept: milestone(500_000),
		}},
		Ready: &v1alpha1.Milestone{OffsetMicroseconds: 512_000, Clock: v1alpha1.ClockWatch},
	}
	s.Timeline = []v1alpha1.TimelineEntry{
		{OffsetMicroseconds: 41_000, Actor: v1alpha1.ActorKubelet, Action: "CgroupCreated", Detail: "/kubepods/pod7d0a"},
		{OffsetMicroseconds: 430_000, Actor: v1alpha1.ActorWorkload, Container: "app", Action: "EntrypointExec", Detail: "/usr/sbin/nginx"},
	}
	s.Phases = []v1alpha1.Phase{
		{Name: "Network", StartMicroseconds: 60_000, DurationMicroseconds: 170_000, WaitMicroseconds: ptr[int64](120_000)},
		{Name: "ContainerCreate", Container: "app", StartMicroseconds: 320_000, DurationMicroseconds: 110_000},
	}
	s.KernelStats.Actors = []v1alpha1.ActorStats{
		{Actor: v1alpha1.ActorRuntime, Syscalls: 4_583, Processes: 9, Execs: 6},
		{Actor: v1alpha1.ActorWorkload, Container: "app", Syscalls: 229, Processes: 3, Execs: 1},
	}
	s.KernelStats.TopSyscalls = []v1alpha1.SyscallCount{{Name: "openat", Count: 611}, {Name: "futex", Count: 402}}
	s.KernelStats.NamespacesCreated = &v1alpha1.NamespacesCreated{Mount: 2, PID: 2, Network: 1, UTS: 1, IPC: 1}
	s.KernelStats.CgroupWrites, s.KernelStats.Mounts = ptr[int64](31), ptr[int64](51)
	s.KernelStats.NetDevicesCreated, s.KernelStats.NetfilterRules = ptr[int64](2), ptr[int64](0)
	s.FailedAttempts = 2
	s.Attempts = []v1alpha1.StepAttempts{{Step: "ImagePull", Container: "app", Reason: "ErrImagePull", Failed: 2, LastFailed: milestone(300_000)}}
	s.Coverage.Missing = []string{"FirstAccept of sidecar was not seen before the certificate was written."}
	return c
}

// failedCertificate is a birth that died.
func failedCertificate(namespace string) *v1alpha1.PodBirthCertificate {
	c := minimalCertificate(namespace)
	c.Spec.Outcome = v1alpha1.OutcomeFailed
	c.Spec.Failure = &v1alpha1.BirthFailure{
		Step: "Entrypoint", Actor: v1alpha1.ActorRuntime, Container: "app", Errno: "ENOENT",
		ExitCode: ptr[int32](127), Message: "exec: \"/nope\": no such file or directory",
	}
	return c
}

// loose turns an object into a map, so that a test can break the schema.
func loose(t *testing.T, object client.Object) *unstructured.Unstructured {
	t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		t.Fatal(err)
	}
	delete(fields, "status")
	unstructured.RemoveNestedField(fields, "metadata", "creationTimestamp")
	return &unstructured.Unstructured{Object: fields}
}

// set changes one field, or removes it where the value is nil.
func set(t *testing.T, object *unstructured.Unstructured, value any, path ...string) {
	t.Helper()
	if value == nil {
		unstructured.RemoveNestedField(object.Object, path...)
		return
	}
	if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
		t.Fatal(err)
	}
}
