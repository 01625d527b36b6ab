// SPDX-License-Identifier: Apache-2.0

package automation_test

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/operator"
	"github.com/kernel-gossip/kernel-gossip/internal/resize"
)

// onNode makes a pod that is running on a node with four CPUs, and the whisper
// that is about it.
func onNode(t *testing.T, c client.Client, namespace string, class corev1.PodQOSClass, annotations map[string]string) (*corev1.Pod, *v1alpha1.KernelWhisper) {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "node-"}}
	if err := c.Create(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	node.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("4Gi")}
	if err := c.Status().Update(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	p := pod(namespace, "web")
	p.Annotations, p.Spec.NodeName = annotations, node.Name
	cpu := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	p.Spec.Containers[0].Resources = corev1.ResourceRequirements{Limits: cpu, Requests: cpu.DeepCopy()}
	if class != corev1.PodQOSGuaranteed {
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	}
	create(t, c, p)
	p.Status.Phase = corev1.PodRunning
	if err := c.Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if p.Status.QOSClass != class {
		t.Fatalf("class %s, want %s", p.Status.QOSClass, class)
	}
	return p, heardWhisper(p)
}

// settles waits for the reason of the condition Resized.
func settles(t *testing.T, c client.Client, key client.ObjectKey, reason string) *v1alpha1.KernelWhisper {
	t.Helper()
	w := &v1alpha1.KernelWhisper{}
	eventually(t, "condition Resized with reason "+reason, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, key, w)
		condition := meta.FindStatusCondition(w.Status.Conditions, v1alpha1.ConditionResized)
		return condition != nil && condition.Reason == reason, err
	})
	return w
}

func wantResources(t *testing.T, c client.Client, p *corev1.Pod, limit, request string) {
	t.Helper()
	eventually(t, "limit "+limit, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, client.ObjectKeyFromObject(p), p)
		return p.Spec.Containers[0].Resources.Limits.Cpu().String() == limit, err
	})
	if got := p.Spec.Containers[0].Resources.Requests.Cpu().String(); got != request {
		t.Errorf("request %s, want %s", got, request)
	}
}

// wantEvent waits for the word that is left on the pod.
func wantEvent(t *testing.T, c client.Client, p *corev1.Pod, reason string) {
	t.Helper()
	eventually(t, "event "+reason, func(ctx context.Context) (bool, error) {
		var list eventsv1.EventList
		err := c.List(ctx, &list, client.InNamespace(p.Namespace))
		for _, e := range list.Items {
			if e.Reason == reason && e.Regarding.UID == p.UID {
				return true, err
			}
		}
		return false, err
	})
}

// measureStep writes what the observer would measure after a step.
func measureStep(t *testing.T, c client.Client, w *v1alpha1.KernelWhisper, percent string, throttled int64) {
	t.Helper()
	step := w.Status.ResizeStep
	measured := w.Spec.KernelTruth
	measured.ThrottledPeriods, measured.ThrottledPercent, measured.StallP99Microseconds = throttled, percent, nil
	w.Spec.Change = &v1alpha1.ResourceChange{Time: micro(time.Now()), FromMillicores: step.FromMillicores, ToMillicores: step.ToMillicores, Measured: &measured}
	spec := w.Spec
	eventually(t, "update of the whisper", func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(w), w); err != nil {
			return false, err
		}
		w.Spec = spec
		return c.Update(ctx, w) == nil, nil
	})
}

// The automation, with the rights that the optional manifest gives and no
// others: one step, its measurement, and the way back.
func TestAutomation(t *testing.T) {
	admin := admin(t)
	asked := map[string]string{v1alpha1.AnnotationAutoResize: "true"}

	t.Run("a step that helps", func(t *testing.T) {
		p, w := onNode(t, admin, namespace(t, admin), corev1.PodQOSBurstable, asked)
		key := create(t, admin, w)
		w = settles(t, admin, key, resize.ReasonRaised)
		wantResources(t, admin, p, "800m", "250m")
		wantEvent(t, admin, p, "AutoResized")
		if s := w.Status.ResizeStep; s == nil || s.FromMillicores != 500 || s.ToMillicores != 800 || s.ThrottledPercentBefore != "30.0" {
			t.Errorf("step %+v", s)
		}
		if !managedBy(p, operator.FieldOwner) {
			t.Errorf("managers %+v", p.ManagedFields)
		}
		measureStep(t, admin, w, "2.2", 2)
		w = settles(t, admin, key, resize.ReasonHelped)
		wantResources(t, admin, p, "800m", "250m")
		if o := w.Status.Outcome; o == nil || o.WithinInterval == nil || !*o.WithinInterval {
			t.Errorf("outcome %+v", o)
		}
	})
	t.Run("a step that does not, of a pod that is Guaranteed", func(t *testing.T) {
		p, w := onNode(t, admin, namespace(t, admin), corev1.PodQOSGuaranteed, asked)
		key := create(t, admin, w)
		w = settles(t, admin, key, resize.ReasonRaised)
		wantResources(t, admin, p, "800m", "800m")
		measureStep(t, admin, w, "28.9", 26)
		w = settles(t, admin, key, resize.ReasonBackedOut)
		wantResources(t, admin, p, "500m", "500m")
		wantEvent(t, admin, p, "AutoResizeBackedOut")
		if w.Status.ResizeStep.BackedOutTime == nil {
			t.Errorf("step %+v", w.Status.ResizeStep)
		}
	})
	t.Run("an owner who did not ask", func(t *testing.T) {
		namespace := namespace(t, admin)
		annotate(t, admin, namespace)
		p, w := onNode(t, admin, namespace, corev1.PodQOSBurstable, map[string]string{v1alpha1.AnnotationAutoResize: "false"})
		w = judged(t, admin, create(t, admin, w))
		wantResources(t, admin, p, "500m", "250m")
		if c := meta.FindStatusCondition(w.Status.Conditions, v1alpha1.ConditionResized); c != nil || w.Status.ResizeStep != nil {
			t.Errorf("condition %+v, step %+v", c, w.Status.ResizeStep)
		}
	})
	t.Run("the namespace asked, and the node is full", func(t *testing.T) {
		namespace := namespace(t, admin)
		annotate(t, admin, namespace)
		p, w := onNode(t, admin, namespace, corev1.PodQOSBurstable, nil)
		full := pod(namespace, "full")
		full.Spec.NodeName = p.Spec.NodeName
		full.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3500m")}
		create(t, admin, full)
		settles(t, admin, create(t, admin, w), resize.ReasonNoHeadroom)
		wantResources(t, admin, p, "500m", "250m")
	})
}

func annotate(t *testing.T, c client.Client, namespace string) {
	t.Helper()
	patch := []byte(`{"metadata":{"annotations":{"` + v1alpha1.AnnotationAutoResize + `":"true"}}}`)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := c.Patch(t.Context(), ns, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
}

func managedBy(p *corev1.Pod, manager string) bool {
	for _, e := range p.ManagedFields {
		if e.Manager == manager && e.Subresource == "resize" {
			return true
		}
	}
	return false
}

// A write of status that names a version is refused once the whisper has changed: that is
// what holds two replicas apart that both take themselves for the leader.
func TestStatusOfAnOldVersionIsRefused(t *testing.T) {
	admin := admin(t)
	_, w := onNode(t, admin, namespace(t, admin), corev1.PodQOSBurstable, nil)
	w = judged(t, admin, create(t, admin, w))
	status := func(version, insight string) error {
		return admin.Status().Apply(t.Context(), client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": "KernelWhisper",
			"metadata": map[string]any{"namespace": w.Namespace, "name": w.Name, "resourceVersion": version},
			"status":   map[string]any{"insight": insight},
		}}), client.FieldOwner("another"), client.ForceOwnership)
	}
	if err := status(w.ResourceVersion, "first"); err != nil {
		t.Fatal(err)
	}
	if err := status(w.ResourceVersion, "second"); !apierrors.IsConflict(err) {
		t.Errorf("%v, want a conflict", err)
	}
}
