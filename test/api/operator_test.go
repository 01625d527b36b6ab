// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/operator"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

func create(t *testing.T, c client.Client, object client.Object) client.ObjectKey {
	t.Helper()
	if err := c.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	return client.ObjectKeyFromObject(object)
}

// From the first testimony to the end of the episode.
func TestWhisperIsJudgedAndResolved(t *testing.T) {
	f := cluster(t)
	admin := f.admin(t)
	key := create(t, admin, minimalWhisper(f.namespace(t)))

	w := judgedWhisper(t, admin, key)
	wantCondition(t, w.Status.Conditions, v1alpha1.ConditionAssessed, metav1.ConditionTrue, verdict.ReasonJudged)
	wantCondition(t, w.Status.Conditions, v1alpha1.ConditionActive, metav1.ConditionTrue, verdict.ReasonEpisodeLasts)
	wantCondition(t, w.Status.Conditions, v1alpha1.ConditionResolved, metav1.ConditionFalse, verdict.ReasonEpisodeLasts)
	if w.Status.Severity != v1alpha1.SeverityCritical || w.Status.Cause != v1alpha1.CauseLimitTooLow || w.Status.Recommendation == "" || w.Status.KernelEvidence == "" {
		t.Errorf("verdict %+v", w.Status)
	}
	// This API server has no metrics.k8s.io.
	if lie := w.Status.MetricsLie; lie == nil || lie.Source != v1alpha1.ComputedAverage || lie.PercentOfLimit != "100.0" || lie.UsageMillicores != 100 {
		t.Errorf("metricsLie %+v, want a computed average of 100m", lie)
	}

	w.Spec.EndTime = w.Spec.LastSeenTime.DeepCopy()
	if err := admin.Update(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	w = judgedWhisper(t, admin, key)
	wantCondition(t, w.Status.Conditions, v1alpha1.ConditionActive, metav1.ConditionFalse, verdict.ReasonEpisodeEnded)
	wantCondition(t, w.Status.Conditions, v1alpha1.ConditionResolved, metav1.ConditionTrue, verdict.ReasonEpisodeEnded)
}

// What the API server gives back has to be what was computed; otherwise the
// operator would write the same status for ever.
func TestStoredVerdictIsFinal(t *testing.T) {
	f := cluster(t)
	admin, namespace := f.admin(t), f.namespace(t)
	w := judgedWhisper(t, admin, create(t, admin, minimalWhisper(namespace)))
	if again := verdict.Whisper(w, nil, time.Now()); !equality.Semantic.DeepEqual(w.Status, again) {
		t.Errorf("stored %+v\n again %+v", w.Status, again)
	}
	c := judgedCertificate(t, admin, create(t, admin, fullCertificate(namespace)))
	if again := verdict.Certificate(c, nil, time.Now()); !equality.Semantic.DeepEqual(c.Status, again) {
		t.Errorf("stored %+v\n again %+v", c.Status, again)
	}
}

func TestEpisodeWithoutWordFromItsObserver(t *testing.T) {
	f := cluster(t)
	w := minimalWhisper(f.namespace(t))
	w.Spec.StartTime, w.Spec.LastSeenTime = micro(time.Now().Add(-2*time.Hour)), micro(time.Now().Add(-time.Hour))
	w = judgedWhisper(t, f.admin(t), create(t, f.admin(t), w))
	wantCondition(t, w.Status.Conditions, v1alpha1.ConditionActive, metav1.ConditionUnknown, verdict.ReasonObserverSilent)
}

func TestCertificateIsComparedWithItsSiblings(t *testing.T) {
	f := cluster(t)
	admin, namespace := f.admin(t), f.namespace(t)
	birth := func(n int, took int64) *v1alpha1.PodBirthCertificate {
		c := fullCertificate(namespace)
		c.Name, c.Spec.PodRef = fmt.Sprintf("web-%d", n), v1alpha1.PodReference{Name: fmt.Sprintf("web-%d", n), UID: fmt.Sprintf("uid-%d", n)}
		c.Spec.Origin.Time = micro(time.Now().Add(time.Duration(n-10) * time.Minute))
		c.Spec.KernelStats.DurationMicroseconds = took
		c.Spec.Phases[0].DurationMicroseconds = took - 300_000
		return c
	}
	for n, took := range []int64{500_000, 520_000, 480_000} {
		judgedCertificate(t, admin, create(t, admin, birth(n, took)))
	}
	slow := judgedCertificate(t, admin, create(t, admin, birth(5, 1_550_000)))
	comparison := &v1alpha1.BirthComparison{
		Births: 3, MedianMicroseconds: 500_000, Ratio: "3.10",
		Phase: &v1alpha1.PhaseComparison{Name: "Network", Microseconds: 1_250_000, MedianMicroseconds: 200_000},
	}
	if got := slow.Status.Comparison; !reflect.DeepEqual(got, comparison) {
		t.Errorf("comparison %+v, want %+v", got, comparison)
	}
	want := "Born in 1.55s with 4,812 system calls, after 2 failed attempts at ImagePull of container app (ErrImagePull); longest phase: Network, 1.25s (81 %), of which 120ms waiting; " +
		"3.1 times the median of 3 earlier births of ReplicaSet web-5d9; what differs most is Network: 1.25s, usually 200ms."
	if slow.Status.Insight != want {
		t.Errorf("insight %q\n    want %q", slow.Status.Insight, want)
	}
	wantCondition(t, slow.Status.Conditions, v1alpha1.ConditionAssessed, metav1.ConditionTrue, verdict.ReasonJudged)
}

func TestFailedBirthIsJudged(t *testing.T) {
	f := cluster(t)
	c := judgedCertificate(t, f.admin(t), create(t, f.admin(t), failedCertificate(f.namespace(t))))
	want := "Birth failed after 512ms at step Entrypoint of container app, done by Runtime: ENOENT (no such file or directory), exit code 127; " +
		"the program is there, and its interpreter or its loader is not; not all of it was heard."
	if c.Status.Insight != want {
		t.Errorf("insight %q\n    want %q", c.Status.Insight, want)
	}
}

// Whoever may write the resources by hand may write nonsense that the schema
// allows. It gets a defined verdict and disturbs nobody.
func TestNonsenseGetsADefinedVerdict(t *testing.T) {
	f := cluster(t)
	w := minimalWhisper(f.namespace(t))
	w.Spec.ContainerName = "größe\x1b[31m\n漢字"
	w.Spec.StartTime, w.Spec.LastSeenTime = micro(time.Now().Add(48*time.Hour)), micro(time.Now().Add(24*time.Hour))
	w.Spec.KernelTruth = v1alpha1.KernelTruth{
		WindowMilliseconds: math.MaxInt64, Periods: math.MaxInt64, ThrottledPeriods: math.MaxInt64, ThrottledPercent: "0.0",
		ThrottledMicroseconds: math.MaxInt64, UsageMillicores: math.MaxInt64, DemandMillicores: 0,
		QuotaMicroseconds: math.MaxInt64, PeriodMicroseconds: 1, ThrottledAt: v1alpha1.ThrottledAtPod,
	}
	w = judgedWhisper(t, f.admin(t), create(t, f.admin(t), w))
	if w.Status.Severity != v1alpha1.SeverityCritical || w.Status.Insight == "" {
		t.Errorf("verdict %+v", w.Status)
	}

	idle := minimalWhisper(f.namespace(t))
	idle.Spec.KernelTruth.Periods, idle.Spec.KernelTruth.ThrottledPeriods, idle.Spec.KernelTruth.ThrottledPercent = 0, 0, "0.0"
	idle = judgedWhisper(t, f.admin(t), create(t, f.admin(t), idle))
	if idle.Status.Severity != v1alpha1.SeverityInfo || idle.Status.Cause != "" || idle.Status.Recommendation != "" {
		t.Errorf("verdict %+v", idle.Status)
	}
}

func TestRetention(t *testing.T) {
	f := cluster(t)
	admin, namespace := f.admin(t), f.namespace(t)
	alive := pod(namespace, "alive")
	create(t, admin, alive)

	certificateOf := func(name, uid string) client.ObjectKey {
		c := minimalCertificate(namespace)
		c.Name, c.Spec.PodRef = name, v1alpha1.PodReference{Name: name, UID: uid}
		return create(t, admin, c)
	}
	whisperOf := func(name, uid string, ended bool) client.ObjectKey {
		w := minimalWhisper(namespace)
		w.Name, w.Spec.PodRef = name, v1alpha1.PodReference{Name: name, UID: uid}
		if ended {
			w.Spec.EndTime = w.Spec.LastSeenTime.DeepCopy()
		}
		return create(t, admin, w)
	}
	living, dead := certificateOf("alive", string(alive.UID)), certificateOf("dead", "gone")
	reborn := certificateOf("alive-before", "an-earlier-pod-of-that-name")
	active, over, orphan := whisperOf("active", string(alive.UID), false), whisperOf("over", string(alive.UID), true), whisperOf("orphan", "gone", false)

	sweep := func(after time.Duration) {
		t.Helper()
		sweeper := newSweeper(t, f, namespace, time.Now().Add(after))
		eventually(t, "sweep", func(ctx context.Context) (bool, error) {
			// The operator may write a verdict between list and delete; such an
			// object stays for the next sweep.
			return settled(ctx, admin, namespace), sweeper.Sweep(ctx)
		})
		if err := sweeper.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sweep(23 * time.Hour)
	wantExisting(t, f, map[client.ObjectKey]bool{living: true, dead: true, reborn: true}, map[client.ObjectKey]bool{active: true, over: true, orphan: true})
	sweep(25 * time.Hour)
	wantExisting(t, f, map[client.ObjectKey]bool{living: true, dead: false, reborn: false}, map[client.ObjectKey]bool{active: true, over: true, orphan: true})
	sweep(73 * time.Hour)
	wantExisting(t, f, map[client.ObjectKey]bool{living: true}, map[client.ObjectKey]bool{active: true, over: false, orphan: false})
}

// newSweeper works with the operator's rights, in one namespace only.
func newSweeper(t *testing.T, f *fixture, namespace string, now time.Time) *operator.Sweeper {
	t.Helper()
	telemetry, err := operator.NewTelemetry(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	c := client.NewNamespacedClient(newClient(t, f.as(operatorUser, "")), namespace)
	return &operator.Sweeper{
		Client: c, Pods: c, Retention: operator.DefaultOptions().Retention, Telemetry: telemetry, Now: func() time.Time { return now },
	}
}

// settled is true once everything in the namespace has its verdict.
func settled(ctx context.Context, c client.Client, namespace string) bool {
	var certificates v1alpha1.PodBirthCertificateList
	var whispers v1alpha1.KernelWhisperList
	if c.List(ctx, &certificates, client.InNamespace(namespace)) != nil || c.List(ctx, &whispers, client.InNamespace(namespace)) != nil {
		return false
	}
	for _, o := range certificates.Items {
		if o.Status.ObservedGeneration != o.Generation {
			return false
		}
	}
	for _, o := range whispers.Items {
		if o.Status.ObservedGeneration != o.Generation {
			return false
		}
	}
	return true
}

func wantExisting(t *testing.T, f *fixture, certificates, whispers map[client.ObjectKey]bool) {
	t.Helper()
	check := func(key client.ObjectKey, object client.Object, want bool) {
		t.Helper()
		err := f.admin(t).Get(t.Context(), key, object)
		if client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		if exists := !apierrors.IsNotFound(err); exists != want {
			t.Errorf("%T %s exists: %t, want %t", object, key.Name, exists, want)
		}
	}
	for key, want := range certificates {
		check(key, &v1alpha1.PodBirthCertificate{}, want)
	}
	for key, want := range whispers {
		check(key, &v1alpha1.KernelWhisper{}, want)
	}
}

func pod(namespace, name string) *corev1.Pod {
	p := &corev1.Pod{}
	p.Namespace, p.Name = namespace, name
	p.Spec.Containers = []corev1.Container{{Name: "app", Image: "localhost/none"}}
	return p
}
