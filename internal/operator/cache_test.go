// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// bornAt is a birth of one workload.
func bornAt(i int, network int64) *v1alpha1.PodBirthCertificate {
	c := &v1alpha1.PodBirthCertificate{}
	c.Namespace, c.Name, c.UID, c.Generation = "shop", fmt.Sprint("web-", i), types.UID(fmt.Sprint("uid-", i)), 1
	s := &c.Spec
	s.PodRef, s.WorkloadRef = v1alpha1.PodReference{Name: c.Name, UID: fmt.Sprint("pod-", i)}, &v1alpha1.WorkloadReference{Kind: "ReplicaSet", Name: "web"}
	s.Outcome, s.Origin.Time = v1alpha1.OutcomeReady, metav1.NewMicroTime(clock.Add(time.Duration(i)*time.Minute))
	s.KernelStats.TotalSyscalls, s.KernelStats.DurationMicroseconds = 1000, 300_000+network
	waited := network / 2
	s.Phases = []v1alpha1.Phase{
		{Name: "Network", DurationMicroseconds: network, CriticalMicroseconds: network, WaitMicroseconds: &waited, Waits: &v1alpha1.PhaseWaits{LockMicroseconds: waited}},
		{Name: "ContainerCreate", Container: "app", StartMicroseconds: network, DurationMicroseconds: 300_000, CriticalMicroseconds: 300_000},
	}
	s.Coverage.AttributedPercent = "100.0"
	// Of one that is not complete this says that its beginning was heard.
	s.Complete, s.Milestones.Scheduled = i%2 == 0, &v1alpha1.Milestone{}
	s.Milestones.Ready = &v1alpha1.Milestone{OffsetMicroseconds: 300_000 + network}
	return c
}

// A verdict is the same whether its siblings come from the cache or as they are.
func TestTheCacheKeepsWhatVerdictsRead(t *testing.T) {
	now := clock.Add(time.Hour)
	var whole, lean []v1alpha1.PodBirthCertificate
	for i := range 5 {
		c := bornAt(i, int64(100_000+1000*i))
		c.Status = verdict.Certificate(c, whole, now)
		c.Status.ObservedGeneration = c.Generation
		whole = append(whole, *c)
		cached := c.DeepCopy()
		if _, err := leanCertificate(cached); err != nil {
			t.Fatal(err)
		}
		if !verdict.CertificateJudged(cached) || cached.Spec.Phases[0].Waits != nil || cached.Status.Conditions != nil {
			t.Fatalf("%+v", cached)
		}
		lean = append(lean, *cached)
	}
	last := bornAt(9, 900_000)
	waiting := last.DeepCopy()
	if _, err := leanCertificate(waiting); err != nil {
		t.Fatal(err)
	}
	want, got := verdict.Certificate(last, whole, now), verdict.Certificate(waiting, lean, now)
	if want.Comparison == nil || want.Comparison.Phase == nil {
		t.Fatalf("nothing was compared: %+v", want)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("from the cache:\n%+v\nwant\n%+v", got, want)
	}
}

// What is not judged yet is judged from the cache: its verdict is the one on the whole
// certificate.
func TestTheCacheKeepsWhatItsOwnVerdictReads(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.PodBirthCertificateSpec){
		"complete": func(s *v1alpha1.PodBirthCertificateSpec) { s.Complete = true },
		"under way, and part of it was missed": func(s *v1alpha1.PodBirthCertificateSpec) {
			s.Complete, s.UnderWay, s.Outcome = false, true, v1alpha1.OutcomePending
			s.Coverage.Missing = []string{"The birth is under way.", "12 events were lost."}
		},
		"under way, and all of it was heard": func(s *v1alpha1.PodBirthCertificateSpec) {
			s.Complete, s.UnderWay, s.Outcome = false, true, v1alpha1.OutcomePending
			s.Coverage.Missing = []string{"The birth is under way."}
		},
		"failed again and again": func(s *v1alpha1.PodBirthCertificateSpec) {
			s.Complete, s.Outcome, s.FailedAttempts = false, v1alpha1.OutcomeRunning, 3
			s.Attempts = []v1alpha1.StepAttempts{{Step: "ImagePull", Container: "app", Reason: "ErrImagePull", Failed: 3}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			whole := bornAt(1, 900_000)
			change(&whole.Spec)
			cached := whole.DeepCopy()
			if _, err := leanCertificate(cached); err != nil {
				t.Fatal(err)
			}
			want, got := verdict.Certificate(whole, nil, clock), verdict.Certificate(cached, nil, clock)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("from the cache:\n%+v\nwant\n%+v", got, want)
			}
		})
	}
}
