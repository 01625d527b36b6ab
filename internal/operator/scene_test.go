// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func requestFor(object client.Object) reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKeyFromObject(object)}
}

// throttledPod has a limit that the operator set last.
func throttledPod() *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web", UID: "uid-1", Annotations: map[string]string{v1alpha1.AnnotationAutoResize: "true"},
		ManagedFields: []metav1.ManagedFieldsEntry{{
			Manager: FieldOwner, Operation: metav1.ManagedFieldsOperationUpdate, Subresource: "resize", APIVersion: "v1", FieldsType: "FieldsV1",
			FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:containers":{"k:{\"name\":\"app\"}":{"f:resources":{"f:limits":{"f:cpu":{}}}}}}}`),
		}},
	}}
	p.Spec.NodeName = "node1"
	p.Spec.Containers = []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{
		Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")},
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m")},
	}}}
	p.Status.Phase, p.Status.QOSClass = corev1.PodRunning, corev1.PodQOSBurstable
	return p
}

// throttledWhisper is of a request path under a limit of 500m that was listened to:
// 800m are predicted to meet the target.
func throttledWhisper() *v1alpha1.KernelWhisper {
	seen, stall := metav1.NewMicroTime(clock), int64(120_000)
	point := func(limit int64, percent string, stall int64) v1alpha1.Predicted {
		return v1alpha1.Predicted{
			LimitMillicores: limit, ThrottledPercent: percent, ThrottledPercentLow: percent, ThrottledPercentHigh: percent,
			StallP99Microseconds: stall, StallP99MicrosecondsHigh: stall, UsageMillicores: 300,
		}
	}
	w := &v1alpha1.KernelWhisper{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web-app-1", UID: "whisper-1", Labels: map[string]string{v1alpha1.LabelPodUID: "uid-1"},
	}}
	w.Spec = v1alpha1.KernelWhisperSpec{
		PodRef: v1alpha1.PodReference{Name: "web", UID: "uid-1"}, NodeName: "node1", ContainerName: "app",
		Reason: v1alpha1.ReasonCPUThrottling, StartTime: metav1.NewMicroTime(clock.Add(-20 * time.Second)), LastSeenTime: seen,
		KernelTruth: v1alpha1.KernelTruth{
			WindowMilliseconds: 10_000, Periods: 90, ThrottledPeriods: 27, ThrottledPercent: "30.0", UsageMillicores: 300,
			DemandMillicores: 480, QuotaMicroseconds: 50_000, PeriodMicroseconds: 100_000, ThrottledAt: v1alpha1.ThrottledAtContainer,
			StallP99Microseconds: &stall,
		},
		Bursts: &v1alpha1.Bursts{
			Time: seen, WindowMilliseconds: 10_000, Activations: 260, OutsideActivations: 200, StalledActivations: 40,
			CPUMicroseconds: 3_000_000, ParkedMicroseconds: 1_800_000, PeakCPUMicroseconds: 82_000,
			NeverSleptPercent: "0.0", Threads: 4, CPUs: 2, RequestMillicores: 250,
		},
		Counterfactual: &v1alpha1.Counterfactual{
			RecordedMilliseconds: 10_000, Bursts: 260, ClosedPercent: "0.0", LimitMillicores: 500,
			Curve: []v1alpha1.Predicted{point(500, "29.1", 118_000), point(800, "3.1", 2_400), point(1_000, "0.0", 0)},
		},
	}
	return w
}
