// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/resize"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// stage is an API server with one pod of 500m that is throttled, for which 800m are
// proposed, and whose owner asked for automation.
type stage struct {
	reconciler *whisperReconciler
	now        time.Time
	// statusErr and patchErr are the answers to a write of status and to a resize; of
	// silent the resize is made all the same.
	statusErr, patchErr error
	silent              bool
	// written are the statuses, resized the limits, in order; version the last that a
	// write of status was held to.
	written []v1alpha1.KernelWhisperStatus
	resized []string
	version string
}

func newStage(t *testing.T, change ...func(*v1alpha1.KernelWhisper)) *stage {
	t.Helper()
	telemetry, err := NewTelemetry(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(types); err != nil {
			t.Fatal(err)
		}
	}
	st := &stage{now: clock}
	onNode := func(o client.Object) []string { return []string{o.(*corev1.Pod).Spec.NodeName} }
	whisper := throttledWhisper()
	for _, c := range change {
		c(whisper)
	}
	base := fake.NewClientBuilder().WithScheme(types).WithIndex(&corev1.Pod{}, "spec.nodeName", onNode).
		WithObjects(throttledPod(), whisper, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, node("node1", "4")).Build()
	api := interceptor.NewClient(base, interceptor.Funcs{SubResourceApply: st.apply, SubResourcePatch: st.patch, Get: withManagers})
	clock := func() time.Time { return st.now }
	st.reconciler = &whisperReconciler{
		client: api, status: statusWriter{client: api, telemetry: telemetry}, telemetry: telemetry,
		target: verdict.DefaultTarget(), now: clock, metrics: silentMetrics{},
		automation: &resizer{
			fresh: api, client: api, events: events.NewFakeRecorder(16), telemetry: telemetry,
			bounds: resize.DefaultBounds(), excluded: []string{metav1.NamespaceSystem}, now: clock,
		},
	}
	return st
}

type silentMetrics struct{}

func (silentMetrics) Container(context.Context, string, string, string) (*verdict.Metric, error) {
	return &verdict.Metric{Missing: v1alpha1.MetricsNoAPI}, nil
}

// withManagers tells who set the pod's limit last, which the client that stands in drops.
func withManagers(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	err := c.Get(ctx, key, object, options...)
	if pod, ok := object.(*corev1.Pod); ok {
		pod.ManagedFields = throttledPod().ManagedFields
	}
	return err
}

// apply is what the API server does with a status.
func (st *stage) apply(ctx context.Context, c client.Client, _ string, config runtime.ApplyConfiguration, _ ...client.SubResourceApplyOption) error {
	if st.statusErr != nil {
		return st.statusErr
	}
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	applied, held := &v1alpha1.KernelWhisper{}, &v1alpha1.KernelWhisper{}
	if err := json.Unmarshal(text, applied); err != nil {
		return err
	}
	st.version = applied.ResourceVersion
	if err := c.Get(ctx, client.ObjectKeyFromObject(applied), held); err != nil {
		return err
	}
	held.Status = applied.Status
	st.written = append(st.written, applied.Status)
	return c.Update(ctx, held)
}

// patch is what it does with a resize.
func (st *stage) patch(ctx context.Context, c client.Client, _ string, object client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
	if st.patchErr != nil && !st.silent {
		return st.patchErr
	}
	body, err := patch.Data(object)
	if err != nil {
		return err
	}
	asked, pod := &corev1.Pod{}, &corev1.Pod{}
	if err := json.Unmarshal(body, asked); err != nil {
		return err
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(object), pod); err != nil {
		return err
	}
	limits := asked.Spec.Containers[0].Resources.Limits
	st.resized = append(st.resized, limits.Cpu().String())
	pod.Spec.Containers[0].Resources.Limits = limits
	return errors.Join(c.Update(ctx, pod), st.patchErr)
}

func (st *stage) reconcile(t *testing.T) error {
	t.Helper()
	_, err := st.reconciler.Reconcile(t.Context(), requestFor(throttledWhisper()))
	return err
}

func (st *stage) last(t *testing.T) (v1alpha1.KernelWhisperStatus, string) {
	t.Helper()
	if len(st.written) == 0 {
		t.Fatal("no status was written")
	}
	s := st.written[len(st.written)-1]
	c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionResized)
	if c == nil {
		return s, ""
	}
	return s, c.Reason
}

func TestAStepIsWrittenBeforeItIsMade(t *testing.T) {
	st := newStage(t)
	if err := st.reconcile(t); err != nil {
		t.Fatal(err)
	}
	if s, reason := st.last(t); s.ResizeStep == nil || reason != resize.ReasonRaised || !slices.Equal(st.resized, []string{"800m"}) {
		t.Errorf("step %+v, reason %s, resized %v", s.ResizeStep, reason, st.resized)
	}
	if st.version == "" {
		t.Error("the step is not held to the whisper that was decided on: another replica's would be overwritten")
	}
}

// What cannot be written is not done: nobody would know of it.
func TestNoStepIsMadeThatCouldNotBeWritten(t *testing.T) {
	kw := schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "kernelwhispers"}
	for name, answer := range map[string]error{
		"the whisper was deleted": apierrors.NewNotFound(kw, "web-app-1"),
		"the whisper was changed": apierrors.NewConflict(kw, "web-app-1", errors.New("the object has been modified")),
		"nobody answers":          errors.New("connection refused"),
	} {
		st := newStage(t)
		st.statusErr = answer
		_ = st.reconcile(t)
		if len(st.resized) > 0 {
			t.Errorf("%s: resized to %v", name, st.resized)
		}
	}
}

// A resize that got no answer may have been made: its step stays on record, and is
// measured and taken back as any other.
func TestAResizeWithoutAnAnswerIsNotForgotten(t *testing.T) {
	st := newStage(t)
	st.patchErr, st.silent = context.DeadlineExceeded, true
	if err := st.reconcile(t); err == nil {
		t.Fatal("no error")
	}
	if s, reason := st.last(t); s.ResizeStep == nil || reason != resize.ReasonFailed {
		t.Fatalf("step %+v, reason %s", s.ResizeStep, reason)
	}
	st.patchErr, st.silent = nil, false
	if err := st.reconcile(t); err != nil {
		t.Fatal(err)
	}
	if s, reason := st.last(t); s.ResizeStep == nil || reason != resize.ReasonRaised || len(st.resized) != 1 {
		t.Errorf("step %+v, reason %s, resized %v", s.ResizeStep, reason, st.resized)
	}
}

// One that was refused was not made.
func TestARefusedResizeLeavesNoStep(t *testing.T) {
	st := newStage(t)
	st.patchErr = apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web", errors.New("exceeded quota"))
	if err := st.reconcile(t); err == nil {
		t.Fatal("no error")
	}
	if s, reason := st.last(t); s.ResizeStep != nil || reason != resize.ReasonFailed {
		t.Errorf("step %+v, reason %s", s.ResizeStep, reason)
	}
}

// An operator that ends between the word of a way back and the way itself takes it
// when it is back.
func TestAWayBackThatWasNotTakenIsTaken(t *testing.T) {
	backedOut := metav1.NewMicroTime(clock.Add(-time.Minute))
	st := newStage(t, func(w *v1alpha1.KernelWhisper) {
		w.Status.ResizeStep = &v1alpha1.ResizeStep{
			Time: metav1.NewMicroTime(clock.Add(-time.Hour)), FromMillicores: 250, ToMillicores: 500, ThrottledPercentBefore: "60.0", BackedOutTime: &backedOut,
		}
	})
	if err := st.reconcile(t); err != nil {
		t.Fatal(err)
	}
	if _, reason := st.last(t); reason != resize.ReasonBackedOut || !slices.Equal(st.resized, []string{"250m"}) {
		t.Errorf("reason %s, resized %v", reason, st.resized)
	}
}

// Nobody knows of an episode whose observer fell silent whether it lasts.
func TestNoStepOnAnOldWord(t *testing.T) {
	st := newStage(t)
	st.now = clock.Add(verdict.SilentAfter)
	if err := st.reconcile(t); err != nil {
		t.Fatal(err)
	}
	if len(st.resized) > 0 {
		t.Errorf("resized to %v", st.resized)
	}
}

func node(name, cpu string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	n.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
	return n
}
