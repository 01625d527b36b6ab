// SPDX-License-Identifier: Apache-2.0

package automation_test

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func ptr[T any](v T) *T { return &v }

func micro(t time.Time) metav1.MicroTime { return metav1.NewMicroTime(t.Truncate(time.Microsecond)) }

func create(t *testing.T, c client.Client, object client.Object) client.ObjectKey {
	t.Helper()
	if err := c.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	return client.ObjectKeyFromObject(object)
}

// namespace makes one that belongs to the test alone.
func namespace(t *testing.T, c client.Client) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	create(t, c, ns)
	return ns.Name
}

func pod(namespace, name string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	p.Spec.Containers = []corev1.Container{{Name: "app", Image: "localhost/none"}}
	return p
}

// heardWhisper is of a request path under a limit of 500m that was listened to:
// 800m are predicted to meet the target.
func heardWhisper(p *corev1.Pod) *v1alpha1.KernelWhisper {
	now := time.Now()
	point := func(limit int64, percent, low, high string, stall int64) v1alpha1.Predicted {
		return v1alpha1.Predicted{
			LimitMillicores: limit, ThrottledPercent: percent, ThrottledPercentLow: low, ThrottledPercentHigh: high,
			StallP99Microseconds: stall, StallP99MicrosecondsHigh: stall, UsageMillicores: 300,
		}
	}
	return &v1alpha1.KernelWhisper{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.Namespace, Name: "web-app-1", Labels: map[string]string{v1alpha1.LabelPodUID: string(p.UID)},
		},
		Spec: v1alpha1.KernelWhisperSpec{
			PodRef: v1alpha1.PodReference{Name: p.Name, UID: string(p.UID)}, NodeName: p.Spec.NodeName, ContainerName: "app",
			Reason: v1alpha1.ReasonCPUThrottling, StartTime: micro(now.Add(-20 * time.Second)), LastSeenTime: micro(now),
			KernelTruth: v1alpha1.KernelTruth{
				WindowMilliseconds: 10_000, Periods: 90, ThrottledPeriods: 27, ThrottledPercent: "30.0", UsageMillicores: 300,
				DemandMillicores: 480, QuotaMicroseconds: 50_000, PeriodMicroseconds: 100_000, ThrottledAt: v1alpha1.ThrottledAtContainer,
				StallP99Microseconds: ptr[int64](120_000),
			},
			Bursts: &v1alpha1.Bursts{
				Time: micro(now), WindowMilliseconds: 10_000, Activations: 260, OutsideActivations: 200, StalledActivations: 40,
				CPUMicroseconds: 3_000_000, ParkedMicroseconds: 1_800_000, PeakCPUMicroseconds: 82_000,
				NeverSleptPercent: "0.0", Threads: 4, CPUs: 2, RequestMillicores: 250,
			},
			Counterfactual: &v1alpha1.Counterfactual{
				RecordedMilliseconds: 10_000, Bursts: 260, ClosedPercent: "0.0", LimitMillicores: 500,
				Curve: []v1alpha1.Predicted{
					point(500, "29.1", "22.4", "35.8", 118_000), point(800, "3.1", "1.0", "5.6", 2_400), point(1_000, "0.0", "0.0", "1.1", 0),
				},
			},
		},
	}
}

// judged waits for the operator's verdict on the present generation.
func judged(t *testing.T, c client.Client, key client.ObjectKey) *v1alpha1.KernelWhisper {
	t.Helper()
	w := &v1alpha1.KernelWhisper{}
	eventually(t, "verdict on whisper "+key.String(), func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, key, w)
		return err == nil && w.Status.ObservedGeneration == w.Generation, err
	})
	return w
}
