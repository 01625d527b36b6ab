// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// heardWhisper is a whisper of a container that was listened to: a request path
// under a limit of 500m.
func heardWhisper(namespace string) *v1alpha1.KernelWhisper {
	w := minimalWhisper(namespace)
	k := &w.Spec.KernelTruth
	k.Periods, k.ThrottledPeriods, k.ThrottledPercent = 90, 27, "30.0"
	k.UsageMillicores, k.DemandMillicores, k.QuotaMicroseconds = 300, 480, 50_000
	k.StallP50Microseconds, k.StallP99Microseconds, k.RunnableThreadsMax = ptr[int64](0), ptr[int64](120_000), ptr[int64](2)
	w.Spec.Bursts = &v1alpha1.Bursts{
		Time: w.Spec.LastSeenTime, WindowMilliseconds: 10_000, Activations: 260, OutsideActivations: 200, StalledActivations: 40,
		CPUMicroseconds: 3_000_000, ParkedMicroseconds: 1_800_000, QueuedMicroseconds: 60_000, PeakCPUMicroseconds: 82_000,
		NeverSleptPercent: "0.0", Threads: 4, CPUs: 2, RequestMillicores: 250,
	}
	point := func(limit int64, percent, low, high string, stall int64) v1alpha1.Predicted {
		return v1alpha1.Predicted{
			LimitMillicores: limit, ThrottledPercent: percent, ThrottledPercentLow: low, ThrottledPercentHigh: high,
			StallP99Microseconds: stall, StallP99MicrosecondsHigh: stall, UsageMillicores: 300,
		}
	}
	w.Spec.Counterfactual = &v1alpha1.Counterfactual{
		RecordedMilliseconds: 10_000, Bursts: 260, ClosedPercent: "0.0", LimitMillicores: 500,
		Curve: []v1alpha1.Predicted{
			point(500, "29.1", "22.4", "35.8", 118_000), point(800, "3.1", "1.0", "5.6", 2_400), point(1_000, "0.0", "0.0", "1.1", 0),
		},
		BurstMicroseconds: ptr[int64](32_000),
	}
	return w
}

// From the recording over the change to what came of it, also where the episode
// had ended in between; and every stored verdict is final.
func TestProposalAndOutcome(t *testing.T) {
	f := cluster(t)
	admin := f.admin(t)
	key := create(t, admin, heardWhisper(f.namespace(t)))
	w := judgedWhisper(t, admin, key)
	if w.Status.Severity != v1alpha1.SeverityCritical || w.Status.Cause != v1alpha1.CauseBurst {
		t.Errorf("severity %s, cause %s", w.Status.Severity, w.Status.Cause)
	}
	p := w.Status.Proposal
	if p == nil || p.LimitMillicores == nil || *p.LimitMillicores != 800 || p.BurstMicroseconds == nil || *p.BurstMicroseconds != 32_000 {
		t.Fatalf("proposal %+v", p)
	}

	w.Spec.EndTime = w.Spec.LastSeenTime.DeepCopy()
	w = written(t, admin, w)
	if !equality.Semantic.DeepEqual(w.Status.Proposal, p) {
		t.Errorf("proposal of the ended episode %+v, was %+v", w.Status.Proposal, p)
	}

	w.Spec.Change = &v1alpha1.ResourceChange{Time: micro(time.Now()), FromMillicores: 500, ToMillicores: 900}
	w = written(t, admin, w)
	if w.Status.Outcome != nil {
		t.Errorf("outcome %+v of a change that is not measured", w.Status.Outcome)
	}
	measured := w.Spec.KernelTruth
	measured.ThrottledPeriods, measured.ThrottledPercent, measured.QuotaMicroseconds = 1, "1.1", 90_000
	measured.StallP99Microseconds = ptr[int64](900)
	w.Spec.Change.Measured = &measured
	w = written(t, admin, w)
	o := w.Status.Outcome
	if o == nil || o.Predicted == nil || o.Predicted.ThrottledPercent != "1.6" || o.WithinInterval == nil || !*o.WithinInterval || !o.TargetMet {
		t.Errorf("outcome %+v", o)
	}
	if again := verdict.Whisper(w, nil, time.Now()); !equality.Semantic.DeepEqual(w.Status, again) {
		t.Errorf("stored %+v\n again %+v", w.Status, again)
	}
}

// A whisper without quota has all its sentences, and the schema takes them.
func TestContentionIsJudged(t *testing.T) {
	f := cluster(t)
	w := heardWhisper(f.namespace(t))
	w.Spec.Reason, w.Spec.Counterfactual = v1alpha1.ReasonCPUContention, nil
	w.Spec.KernelTruth = v1alpha1.KernelTruth{
		WindowMilliseconds: 10_000, ThrottledPercent: "0.0", UsageMillicores: 300, DemandMillicores: 300, RunQueueWaitP99Microseconds: ptr[int64](42_000),
	}
	w.Spec.Bursts.QueuedMicroseconds, w.Spec.Bursts.StalledActivations = 2_000_000, 0
	w.Spec.Bursts.Preemptors = []v1alpha1.Preemptor{{Namespace: "shop", Pod: "miner", WaitMicroseconds: 1_700_000}}
	w = judgedWhisper(t, f.admin(t), create(t, f.admin(t), w))
	s := w.Status
	if s.Cause != v1alpha1.CauseRequestTooSmall || s.Proposal == nil || s.Proposal.RequestMillicores == nil || *s.Proposal.RequestMillicores != 820 {
		t.Errorf("verdict %+v", s)
	}
	if s.Insight == "" || s.Recommendation == "" || s.KernelEvidence == "" || s.MetricsLie == nil || s.MetricsLie.Claim == "" || s.MetricsLie.PercentOfLimit != "" {
		t.Errorf("verdict %+v", s)
	}
}

// written updates a whisper's spec and returns it with its new verdict.
func written(t *testing.T, c client.Client, w *v1alpha1.KernelWhisper) *v1alpha1.KernelWhisper {
	t.Helper()
	spec := w.Spec
	eventually(t, "update of whisper "+w.Name, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(w), w); err != nil {
			return false, err
		}
		w.Spec = spec
		return c.Update(ctx, w) == nil, nil
	})
	return judgedWhisper(t, c, client.ObjectKeyFromObject(w))
}

// Without the optional manifest the operator could not resize a pod if it wanted to.
func TestResizingIsNotADefaultRight(t *testing.T) {
	f := cluster(t)
	p := pod(f.namespace(t), "web")
	create(t, f.admin(t), p)
	patch := client.RawPatch(types.StrategicMergePatchType, []byte(`{"spec":{"containers":[{"name":"app","resources":{"limits":{"cpu":"1"}}}]}}`))
	if err := newClient(t, f.as(operatorUser, "")).SubResource("resize").Patch(t.Context(), p, patch); !apierrors.IsForbidden(err) {
		t.Errorf("error %v, want forbidden", err)
	}
}
