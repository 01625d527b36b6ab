// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// The schema bounds every string and list, and with them the object; the
// observer has to stay well below that sum. This says what the schema alone
// lets through, and that etcd and the API server take it.
func TestLargestObjects(t *testing.T) {
	f := cluster(t)
	for name, tt := range map[string]struct {
		object client.Object
		bound  int
	}{
		"certificate": {largestCertificate(f.namespace(t)), 56 << 10},
		"whisper":     {largestWhisper(f.namespace(t)), 12 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			object := loose(t, tt.object)
			size := len(mustJSON(t, object.Object))
			t.Logf("%d bytes of JSON", size)
			if size > tt.bound {
				t.Errorf("%d bytes, want at most %d", size, tt.bound)
			}
			if err := f.admin(t).Create(t.Context(), object, strictly); err != nil {
				t.Error(err)
			}
		})
	}
}

func text(n int) string { return strings.Repeat("x", n) }

func word(n int) string { return "A" + strings.Repeat("b", n-1) }

func largestMilestone() *v1alpha1.Milestone {
	return &v1alpha1.Milestone{OffsetMicroseconds: math.MaxInt64, Clock: v1alpha1.ClockKernel}
}

func largestWhisper(namespace string) *v1alpha1.KernelWhisper {
	w := fullWhisper(namespace)
	w.Spec.PodRef = v1alpha1.PodReference{Name: text(253), UID: text(64)}
	w.Spec.NodeName, w.Spec.ContainerName = text(253), text(63)
	w.Spec.Evidence = nil
	for range 12 {
		w.Spec.Evidence = append(w.Spec.Evidence, v1alpha1.Evidence{Source: text(512), Before: text(64), After: text(64)})
	}
	return w
}

func largestCertificate(namespace string) *v1alpha1.PodBirthCertificate {
	c := fullCertificate(namespace)
	s := &c.Spec
	s.PodRef = v1alpha1.PodReference{Name: text(253), UID: text(64)}
	s.WorkloadRef = &v1alpha1.WorkloadReference{Kind: text(63), Name: text(253)}
	s.NodeName, s.Runtime, s.Duration = text(253), text(63), text(16)
	s.Outcome = v1alpha1.OutcomeFailed
	s.Failure = &v1alpha1.BirthFailure{Step: word(40), Actor: v1alpha1.ActorScheduler, Container: text(63), Errno: "E" + strings.Repeat("X", 20), Signal: "SIG" + strings.Repeat("X", 12), Message: text(512)}
	s.Milestones.Containers = nil
	for i := range 16 {
		m := largestMilestone()
		s.Milestones.Containers = append(s.Milestones.Containers, v1alpha1.ContainerMilestones{
			Name: fmt.Sprintf("%063d", i), ImageReady: m, Created: m, EntrypointExec: m, FirstListen: m, FirstAccept: m,
		})
	}
	s.Timeline, s.Phases, s.KernelStats.Actors, s.KernelStats.TopSyscalls, s.Coverage.Missing = nil, nil, nil, nil, nil
	for range 64 {
		s.Timeline = append(s.Timeline, v1alpha1.TimelineEntry{OffsetMicroseconds: math.MaxInt64, Actor: v1alpha1.ActorScheduler, Container: text(63), Action: word(40), Detail: text(160)})
	}
	for range 32 {
		s.Phases = append(s.Phases, v1alpha1.Phase{Name: word(40), Container: text(63), StartMicroseconds: math.MaxInt64, DurationMicroseconds: math.MaxInt64, WaitMicroseconds: ptr[int64](math.MaxInt64)})
	}
	s.FailedAttempts, s.Attempts = math.MaxInt32, nil
	for range 16 {
		s.Attempts = append(s.Attempts, v1alpha1.StepAttempts{Step: word(40), Container: text(63), Reason: word(40), Failed: math.MaxInt32, LastFailed: largestMilestone()})
	}
	for range 40 {
		s.KernelStats.Actors = append(s.KernelStats.Actors, v1alpha1.ActorStats{Actor: v1alpha1.ActorScheduler, Container: text(63), Syscalls: math.MaxInt64, Processes: math.MaxInt64, Execs: math.MaxInt64})
	}
	for range 12 {
		s.KernelStats.TopSyscalls = append(s.KernelStats.TopSyscalls, v1alpha1.SyscallCount{Name: text(48), Count: math.MaxInt64})
		s.Coverage.Missing = append(s.Coverage.Missing, text(160))
	}
	return c
}
