// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// origin is a workload that a limit strikes, and why.
type origin struct {
	name    string
	changes []change
	askers  []string // how another pod asks it; nil: nobody does
	cause   v1alpha1.Cause
	not     []v1alpha1.Cause // what it looks like
	info    bool             // it hurts nobody
}

// Each cause, and beside it a workload that has the same limit and the same
// average and another cause.
var origins = []origin{
	{
		name: "too-low", changes: []change{load("serve", "-threads", "2", "-cpu", "25ms"), cpuLimit("200m")},
		askers: []string{"-clients", "2", "-think", "50ms"},
		cause:  v1alpha1.CauseLimitTooLow, not: []v1alpha1.Cause{v1alpha1.CauseBurst, v1alpha1.CauseTooManyThreads},
	},
	{
		name:    "threads",
		changes: []change{load("tick", "-threads", "8", "-every", "500ms", "-cpu", "12ms"), environment("GOMAXPROCS", "8"), cpuLimit("400m")},
		cause:   v1alpha1.CauseTooManyThreads, not: []v1alpha1.Cause{v1alpha1.CauseLimitTooLow},
	},
	{
		name: "burst", changes: []change{load("tick", "-threads", "1", "-every", "500ms", "-cpu", "96ms"), cpuLimit("400m")},
		cause: v1alpha1.CauseBurst, not: []v1alpha1.Cause{v1alpha1.CauseLimitTooLow, v1alpha1.CauseTooManyThreads},
	},
	{
		name: "loop", changes: []change{load("burn", "-threads", "1"), cpuLimit("200m")},
		cause: v1alpha1.CauseLimitTooLow, not: []v1alpha1.Cause{v1alpha1.CauseTooManyThreads}, info: true,
	},
}

// TestCauses: why a limit strikes, and what only looks like it. It is not parallel to
// other tests, which would use the CPUs, and the places to listen to bursts.
func TestCauses(t *testing.T) {
	f := cluster(t)
	f.local(t)
	f.alone(t)
	// The burst's twin has room for it.
	idle := watchIdleness(t)
	quiet := newScene(t, f)
	roomy := quiet.create("roomy", load("tick", "-threads", "1", "-every", "500ms", "-cpu", "96ms"), cpuLimit("1500m"))
	quiet.ready(roomy)
	places := make(chan struct{}, 2) // as many are listened to at a time
	for _, o := range origins {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			places <- struct{}{}
			defer func() { <-places }()
			s := newScene(t, f)
			pod := s.create(o.name, o.changes...)
			if o.askers != nil {
				asks(s, pod, o.askers...)
			}
			w := s.recordedAtLeisure(pod, idle)
			t.Logf("%s: %s, then %q: %s\n%s", w.Status.Severity, w.Status.Cause, w.Status.SecondCause, w.Status.Insight, w.Status.Recommendation)
			if w.Status.Cause != o.cause {
				t.Errorf("cause %s, want %s; bursts %+v, truth %+v", w.Status.Cause, o.cause, *w.Spec.Bursts, w.Spec.KernelTruth)
			}
			if slices.Contains(o.not, w.Status.SecondCause) {
				t.Errorf("second cause %s, which it only looks like", w.Status.SecondCause)
			}
			if got := w.Status.Severity == v1alpha1.SeverityInfo; got != o.info {
				t.Errorf("severity %s", w.Status.Severity)
			}
			wantNoWhisperOf(t, quiet, roomy)
		})
	}
}

// TestAnAncestorsLimit: a quota on a cgroup above the pod, which no field of the
// pod shows.
func TestAnAncestorsLimit(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	if node.unified {
		t.Skip("writes cpu.cfs_quota_us, of cgroup v1; quotas above a container are read on cgroup v2 by test/bpf in the kernel matrix")
	}
	s := newScene(t, f)
	pod := s.create("below", load("burn"))
	s.ready(pod)
	above := filepath.Join(node.cpu, filepath.Dir(node.podCgroup(string(pod.UID))), "cpu.cfs_quota_us")
	was, err := os.ReadFile(above)
	if err != nil {
		t.Fatal(err)
	}
	set := func(quota []byte) {
		if err := os.WriteFile(above, quota, 0); err != nil {
			t.Error(err)
		}
	}
	set([]byte("30000"))
	defer set(was)
	w := s.whisper(pod, "judged", patience, judged).object
	if w.Status.Cause != v1alpha1.CauseAncestorLimit || w.Spec.KernelTruth.ThrottledAt != v1alpha1.ThrottledAtAncestor || w.Status.Proposal != nil {
		t.Errorf("cause %s at %s, proposal %+v", w.Status.Cause, w.Spec.KernelTruth.ThrottledAt, w.Status.Proposal)
	}
	t.Log(w.Status.Recommendation)
}

// TestContention: a service without a limit, on CPUs that others keep busy. It
// wants more than its request entitles it to; where one covers it, TestNoisyNeighbour is.
func TestContention(t *testing.T) {
	f := cluster(t)
	f.local(t)
	f.alone(t)
	s := newScene(t, f)
	small := s.create("small", load("serve", "-threads", "2", "-cpu", "20ms"), cpuRequest("20m"))
	asks(s, small, "-rate", "8")
	hog := s.create("hog", load("burn", "-threads", "4"), cpuRequest("300m"))
	s.ready(hog)
	w := s.whisperOf(v1alpha1.ReasonCPUContention, small, "of contention, judged", 2*patience, judged).object
	t.Logf("%s: %s, then %q: %s\n%s", w.Status.Severity, w.Status.Cause, w.Status.SecondCause, w.Status.Insight, w.Status.Recommendation)
	if w.Status.Cause != v1alpha1.CauseRequestTooSmall {
		t.Errorf("cause %s, want RequestTooSmall: %+v", w.Status.Cause, *w.Spec.Bursts)
	}
	if !slices.ContainsFunc(w.Spec.Bursts.Preemptors, func(p v1alpha1.Preemptor) bool { return p.Pod == hog.Name && p.Namespace == s.namespace }) {
		t.Errorf("the neighbor that keeps the CPUs busy is not named: %+v", w.Spec.Bursts.Preemptors)
	}
	if w.Spec.KernelTruth.QuotaMicroseconds != 0 || w.Spec.KernelTruth.ThrottledPeriods != 0 {
		t.Errorf("nothing limits it, and yet: %+v", w.Spec.KernelTruth)
	}
	s.delete(hog)
	s.whisperOf(v1alpha1.ReasonCPUContention, small, "ended", 2*patience, ended)
	wantNoWhisperOf(t, s, hog)
}

func wantNoWhisperOf(t *testing.T, s *scene, p *corev1.Pod) {
	t.Helper()
	if told := s.told(p); len(told) > 0 {
		t.Errorf("no limit strikes pod %s, and it has a whisper at %s: %+v", p.Name, told[0].at.Format(time.TimeOnly), told[0].object.Spec)
	}
}
