// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/resize"
)

// resizer is the automation: it finds out what package resize wants to know,
// and carries out what that decides. All that it remembers is in the whispers.
type resizer struct {
	// fresh reads what the API server has now: a step that a cache does not show
	// yet would be made twice.
	fresh     client.Reader
	client    client.Client
	events    events.EventRecorder
	telemetry *Telemetry
	bounds    resize.Bounds
	// excluded namespaces cannot opt in.
	excluded []string
	now      func() time.Time

	// one whisper at a time: two steps on one node would each find the same room.
	mu sync.Mutex
}

// resizeScene is what a decision was made on.
type resizeScene struct {
	pod     *corev1.Pod
	whisper *v1alpha1.KernelWhisper
}

// plan decides about a whisper whose verdict is status, and writes into status
// what the decision is. The caller writes the status before it carries out the
// decision, so that a step is known before it is made.
func (r *resizer) plan(ctx context.Context, whisper *v1alpha1.KernelWhisper, status *v1alpha1.KernelWhisperStatus) (resize.Decision, resizeScene, error) {
	judged := whisper.DeepCopy()
	judged.Status = *status.DeepCopy()
	if !resize.Concerns(judged) {
		if status.ResizeStep == nil {
			meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionResized)
		}
		return resize.Decision{}, resizeScene{}, nil
	}
	pod, asked, err := r.askedFor(ctx, judged)
	if err != nil || !asked {
		return resize.Decision{}, resizeScene{}, err
	}
	decision, err := r.decide(ctx, judged, pod)
	if err != nil {
		return resize.Decision{}, resizeScene{}, err
	}
	r.note(judged, status, decision)
	return decision, resizeScene{pod, judged}, nil
}

// askedFor reads the pod, and whether its owner opted in. A pod that is gone
// asks for nothing, nor does one that another node testifies about.
func (r *resizer) askedFor(ctx context.Context, whisper *v1alpha1.KernelWhisper) (*corev1.Pod, bool, error) {
	if slices.Contains(r.excluded, whisper.Namespace) {
		return nil, false, nil
	}
	pod, namespace := &corev1.Pod{}, &corev1.Namespace{}
	err := r.fresh.Get(ctx, client.ObjectKey{Namespace: whisper.Namespace, Name: whisper.Spec.PodRef.Name}, pod)
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get pod to resize: %w", err)
	}
	if foreign(ctx, whisper, pod) {
		return nil, false, nil
	}
	if err := r.fresh.Get(ctx, client.ObjectKey{Name: whisper.Namespace}, namespace); err != nil {
		return nil, false, fmt.Errorf("get namespace of pod to resize: %w", err)
	}
	return pod, resize.OptedIn(pod, namespace, r.excluded), nil
}

// foreign is true for a whisper of a node that the pod does not run on. Admission
// holds an observer to its node's name, and cannot look up the pod: a node that was
// taken over must not have another's pods resized.
func foreign(ctx context.Context, whisper *v1alpha1.KernelWhisper, pod *corev1.Pod) bool {
	if pod.Spec.NodeName == whisper.Spec.NodeName {
		return false
	}
	// A pod of the same name that came later may well run elsewhere.
	if string(pod.UID) == whisper.Spec.PodRef.UID {
		log.FromContext(ctx).Info("no resize: the whisper is of a node that its pod does not run on",
			"whisper", whisper.Namespace+"/"+whisper.Name, "whisperNode", whisper.Spec.NodeName, "pod", pod.Name, "podNode", pod.Spec.NodeName)
	}
	return true
}

func (r *resizer) decide(ctx context.Context, whisper *v1alpha1.KernelWhisper, pod *corev1.Pod) (resize.Decision, error) {
	var kin v1alpha1.KernelWhisperList
	err := r.fresh.List(ctx, &kin, client.InNamespace(whisper.Namespace), client.MatchingLabels{v1alpha1.LabelPodUID: whisper.Spec.PodRef.UID})
	if err != nil {
		return resize.Decision{}, fmt.Errorf("list whispers of the pod: %w", err)
	}
	// This one with its new verdict, whether or not it is labeled.
	others := slices.DeleteFunc(kin.Items, func(k v1alpha1.KernelWhisper) bool { return k.Name == whisper.Name })
	situation := resize.Situation{
		Whisper: whisper, Kin: append(others, *whisper), Pod: pod, Now: r.now(),
		Ours: setLimit(pod, whisper.Spec.ContainerName, FieldOwner),
	}
	decision := resize.Decide(situation, r.bounds)
	if decision.Action != resize.Raise {
		return decision, nil
	}
	node, err := r.node(ctx, pod, whisper.Spec.ContainerName)
	if err != nil {
		return resize.Decision{}, err
	}
	return decision.Fit(situation, node, r.bounds), nil
}

func (r *resizer) node(ctx context.Context, pod *corev1.Pod, container string) (resize.Node, error) {
	node, pods := &corev1.Node{}, &corev1.PodList{}
	if err := r.fresh.Get(ctx, client.ObjectKey{Name: pod.Spec.NodeName}, node); err != nil {
		return resize.Node{}, fmt.Errorf("get node of pod to resize: %w", err)
	}
	if err := r.fresh.List(ctx, pods, client.MatchingFields{"spec.nodeName": pod.Spec.NodeName}); err != nil {
		return resize.Node{}, fmt.Errorf("list pods of the node: %w", err)
	}
	return resize.NodeOf(node, pods.Items, pod, container), nil
}

// note puts a decision into the status.
func (r *resizer) note(whisper *v1alpha1.KernelWhisper, status *v1alpha1.KernelWhisperStatus, d resize.Decision) {
	now := metav1.NewMicroTime(r.now().Truncate(time.Microsecond))
	switch d.Action {
	case resize.Raise:
		status.ResizeStep = &v1alpha1.ResizeStep{
			Time: now, FromMillicores: d.From, ToMillicores: d.To,
			ThrottledPercentBefore:     whisper.Spec.KernelTruth.ThrottledPercent,
			StallP99MicrosecondsBefore: whisper.Spec.KernelTruth.StallP99Microseconds,
		}
	case resize.BackOut:
		status.ResizeStep.BackedOutTime = &now
	}
	if d.Reason == "" {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionResized)
		return
	}
	setResized(whisper, status, d, r.now())
}

func setResized(whisper *v1alpha1.KernelWhisper, status *v1alpha1.KernelWhisperStatus, d resize.Decision, now time.Time) {
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionResized, Status: d.Status, Reason: d.Reason, Message: d.Message,
		ObservedGeneration: whisper.Generation, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	})
}

// carryOut changes the pod. Where the API server refuses, status is put back to
// what it was before the plan, with a condition that says so. Where it does not
// answer, the change may have been made: the status keeps what was planned, and the
// next look finds out.
func (r *resizer) carryOut(ctx context.Context, d resize.Decision, s resizeScene, status *v1alpha1.KernelWhisperStatus) error {
	if d.Action == resize.Nothing {
		return nil
	}
	err := r.patch(ctx, d, s)
	if err == nil {
		r.tell(ctx, d, s)
		return nil
	}
	r.telemetry.resizes.WithLabelValues(resizeFailed).Inc()
	message := fmt.Sprintf("It is not known whether the limit of container %s was changed from %dm to %dm: %s.",
		s.whisper.Spec.ContainerName, d.From, d.To, reasonOf(err))
	if refused(err) {
		status.ResizeStep = s.whisper.Status.ResizeStep.DeepCopy()
		message = fmt.Sprintf("The limit of container %s could not be changed from %dm to %dm: %s.",
			s.whisper.Spec.ContainerName, d.From, d.To, reasonOf(err))
	}
	failed := resize.Decision{Status: metav1.ConditionFalse, Reason: resize.ReasonFailed, Message: message}
	setResized(s.whisper, status, failed, r.now())
	return fmt.Errorf("resize pod %s/%s: %w", s.pod.Namespace, s.pod.Name, err)
}

// refused is true where the API server has said that it changed nothing.
func refused(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code >= http.StatusBadRequest && status.Status().Code < http.StatusInternalServerError
}

// reasonOf is short and the same each time, unlike an error's text.
func reasonOf(err error) string {
	if reason := apierrors.ReasonForError(err); reason != metav1.StatusReasonUnknown {
		return string(reason)
	}
	return "no answer"
}

// patch changes exactly the pod that was looked at, in place: a change by
// anybody else in between is a conflict.
func (r *resizer) patch(ctx context.Context, d resize.Decision, s resizeScene) error {
	cpu := map[string]any{"cpu": fmt.Sprintf("%dm", d.To)}
	resources := map[string]any{"limits": cpu}
	if d.WithRequest {
		resources["requests"] = cpu
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": s.pod.UID, "resourceVersion": s.pod.ResourceVersion},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": s.whisper.Spec.ContainerName, "resources": resources}}},
	})
	if err != nil {
		return fmt.Errorf("encode resize: %w", err)
	}
	patch := client.RawPatch(types.StrategicMergePatchType, body)
	return r.client.SubResource("resize").Patch(ctx, s.pod.DeepCopy(), patch, client.FieldOwner(FieldOwner))
}

// tell leaves word of a step where the pod's owner looks for it.
func (r *resizer) tell(ctx context.Context, d resize.Decision, s resizeScene) {
	reason, result := "AutoResized", resizeRaised
	if d.Action == resize.BackOut {
		reason, result = "AutoResizeBackedOut", resizeBackedOut
	}
	r.telemetry.resizes.WithLabelValues(result).Inc()
	r.events.Eventf(s.pod, s.whisper, corev1.EventTypeNormal, reason, "Resize", "%s", d.Message)
	log.FromContext(ctx).Info("resized", "pod", s.pod.Namespace+"/"+s.pod.Name, "container", s.whisper.Spec.ContainerName,
		"from", d.From, "to", d.To, "reason", reason)
}
