// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// resizer makes the change of one whisper.
type resizer struct {
	client  client.Client
	pod     client.ObjectKey
	whisper *v1alpha1.KernelWhisper
	limit   int64 // instead of the proposed one; 0 is none
	progress
	found  *corev1.Pod
	change change
}

const (
	fieldOwner = "kubectl-gossip"
	// A pod's status is written often; each write makes a patch conflict once.
	mostConflicts = 10
	pollInterval  = 500 * time.Millisecond
	// For how long after its end the observer measures the change of a whisper.
	measuredFor = time.Hour
)

// plan reads the pod and plans the change.
func (r *resizer) plan(ctx context.Context) error {
	pod := &corev1.Pod{}
	if err := r.client.Get(ctx, r.pod, pod); err != nil {
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("pod %s is gone: only the template that it was made from can be changed now", r.pod.Name)
		}
		return fmt.Errorf("read the pod: %w", err)
	}
	c, err := plan(pod, r.whisper, r.limit)
	if err != nil {
		return err
	}
	r.found, r.change = pod, c
	return nil
}

// dryRun lets the API server check the change.
func (r *resizer) dryRun(ctx context.Context) error { return r.patch(ctx, client.DryRunAll) }

// resize makes the change, if the pod is still the one that was planned for.
func (r *resizer) resize(ctx context.Context) error { return r.patch(ctx) }

func (r *resizer) patch(ctx context.Context, options ...client.SubResourcePatchOption) error {
	options = append(options, client.FieldOwner(fieldOwner))
	for range mostConflicts {
		body, err := r.change.patch()
		if err != nil {
			return err
		}
		err = r.client.SubResource("resize").Patch(ctx, r.found.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, body), options...)
		switch {
		case err == nil:
			return nil
		case apierrors.IsNotFound(err):
			return r.notFound(ctx)
		case apierrors.IsForbidden(err) && strings.Contains(err.Error(), `"pods/resize"`): // and not by a quota or an admission policy
			return fmt.Errorf("resize: %w (the ClusterRole kernel-gossip-apply allows it)", err)
		case !apierrors.IsConflict(err):
			return fmt.Errorf("resize: %w", err)
		}
		before := r.change
		if err := r.plan(ctx); err != nil {
			return err
		}
		if !before.same(&r.change) {
			return fmt.Errorf("pod %s was changed meanwhile; nothing was done: look again", r.pod.Name)
		}
	}
	return fmt.Errorf("resize: pod %s changes all the time; try again", r.pod.Name)
}

// notFound tells a pod that is gone from a cluster that cannot resize.
func (r *resizer) notFound(ctx context.Context) error {
	if err := r.plan(ctx); err != nil {
		return err
	}
	return errors.New("this cluster cannot resize pods in place (Kubernetes 1.33 and newer can)")
}

// awaitKubelet waits until the kubelet has actuated the change.
func (r *resizer) awaitKubelet(ctx context.Context) error {
	var told string
	return r.await(ctx, "waiting for the kubelet of "+r.found.Spec.NodeName, pollInterval, func() (bool, error) {
		pod := &corev1.Pod{}
		if err := r.client.Get(ctx, r.pod, pod); err != nil {
			return false, fmt.Errorf("read the pod: %w", err)
		}
		done, note, err := actuated(pod, &r.change)
		if note != "" && note != told {
			told = note
			r.say(note)
		}
		return done, err
	})
}

// actuated is true once the kubelet has done what the change asks for. The note
// is why it has not; that it never will is an error.
func actuated(pod *corev1.Pod, c *change) (done bool, note string, err error) {
	if pod.UID != c.uid {
		return false, "", fmt.Errorf("pod %s was replaced before the kubelet resized it", pod.Name)
	}
	limit, request, known := cpuOf(pod, c)
	if known && (limit == c.limitTo || c.limitTo == c.limitFrom) && (request == c.requestTo || c.requestTo == c.requestFrom) {
		return true, "", nil
	}
	note, err = hindrance(pod)
	return false, note, err
}

// hindrance is why the kubelet has not resized a pod so far; that it never will
// is an error.
func hindrance(pod *corev1.Pod) (note string, err error) {
	for _, c := range pod.Status.Conditions {
		if c.Status != corev1.ConditionTrue || c.ObservedGeneration > 0 && c.ObservedGeneration < pod.Generation {
			continue // of an earlier change
		}
		switch {
		case c.Type == corev1.PodResizePending && c.Reason == corev1.PodReasonInfeasible:
			return "", fmt.Errorf("the kubelet of %s will not resize the pod (Infeasible: %s), and its spec asks for it all the same", pod.Spec.NodeName, c.Message)
		case c.Type == corev1.PodResizePending:
			note = fmt.Sprintf("the kubelet puts it off (%s: %s)", c.Reason, c.Message)
		case c.Type == corev1.PodResizeInProgress && c.Reason == corev1.PodReasonError:
			note = fmt.Sprintf("the kubelet has failed and tries again (%s)", c.Message)
		}
	}
	return note, nil
}

// unmeasured is why no outcome will be written; empty where one will.
func (r *resizer) unmeasured(now time.Time) string {
	end := r.whisper.Spec.EndTime
	switch {
	case r.change.limitFrom == r.change.limitTo:
		return "only changes of a limit are"
	case end != nil && now.Sub(end.Time) > measuredFor:
		return "the episode ended more than an hour ago"
	}
	return ""
}

// awaitOutcome waits until the operator has held the prediction against what was
// measured at the new limit.
func (r *resizer) awaitOutcome(ctx context.Context) (*v1alpha1.ChangeOutcome, error) {
	var found *v1alpha1.ChangeOutcome
	err := r.await(ctx, "measuring at the new limit", pollInterval, func() (bool, error) {
		w := &v1alpha1.KernelWhisper{}
		if err := r.client.Get(ctx, client.ObjectKeyFromObject(r.whisper), w); err != nil {
			return false, fmt.Errorf("read the whisper: %w", err)
		}
		if isNew(r.whisper.Status.Outcome, w.Status.Outcome, r.change.limitTo) {
			found = w.Status.Outcome
		}
		return found != nil, nil
	})
	return found, err
}

// isNew is true for an outcome of this change, and not of an earlier one.
func isNew(before, now *v1alpha1.ChangeOutcome, limit int64) bool {
	return now != nil && now.LimitMillicores == limit && (before == nil || !before.Time.Equal(&now.Time))
}

// undo says how to take the change back.
func (r *resizer) undo() string {
	patch := r.change.undo()
	if patch == nil {
		return ""
	}
	return fmt.Sprintf("To take it back: kubectl patch pod %s -n %s --subresource resize -p '%s'\n", r.pod.Name, r.pod.Namespace, patch)
}
