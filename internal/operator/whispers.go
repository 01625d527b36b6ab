// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/resize"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// metricRetry is the time between two questions for a figure that is not there
// yet: short against the window of a metric, which has to be caught while it
// overlaps the testimony.
const metricRetry = 5 * time.Second

// containerMetrics answers what metrics.k8s.io says of a container, or why it says
// nothing: never nil without an error.
type containerMetrics interface {
	Container(ctx context.Context, namespace, pod, container string) (*verdict.Metric, error)
}

type whisperReconciler struct {
	// client reads from the cache, and with automation from the API server: what the
	// automation wrote last must not be overwritten by a verdict on an older state.
	client    client.Reader
	metrics   containerMetrics
	status    statusWriter
	telemetry *Telemetry
	target    verdict.Target
	now       func() time.Time
	// automation is nil where it is off.
	automation *resizer
}

// Reconcile judges one whisper and writes its status if that changed.
func (r *whisperReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	whisper := &v1alpha1.KernelWhisper{}
	if err := r.client.Get(ctx, request.NamespacedName, whisper); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !whisper.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil
	}
	status := r.target.Whisper(whisper, r.metric(ctx, whisper), r.now())
	again, err := r.act(ctx, whisper, &status)
	if err != nil {
		return reconcile.Result{}, err
	}
	whisper.Status = status
	return reconcile.Result{RequeueAfter: sooner(nextLook(whisper, r.now()), again)}, nil
}

// tryAgain is when to look again at a whisper that changed while it was decided what
// to do about it.
const tryAgain = time.Second

// act writes the verdict, and what the automation is about to do, before that is
// done. Nothing is done that could not be written, nor on account of a whisper that
// somebody else, such as another replica, has written since it was read.
func (r *whisperReconciler) act(ctx context.Context, whisper *v1alpha1.KernelWhisper, status *v1alpha1.KernelWhisperStatus) (again time.Duration, err error) {
	if r.automation == nil {
		_, err := r.write(ctx, whisper, status, "")
		return 0, err
	}
	r.automation.mu.Lock()
	defer r.automation.mu.Unlock()
	decision, scene, planErr := r.automation.plan(ctx, whisper, status)
	version := ""
	if decision.Action != resize.Nothing {
		version = whisper.ResourceVersion
	}
	held, err := r.write(ctx, whisper, status, version)
	switch {
	case err != nil || planErr != nil:
		return 0, errors.Join(err, planErr)
	case !held && decision.Action != resize.Nothing:
		return tryAgain, nil
	}
	written := whisper.DeepCopy()
	written.Status = *status.DeepCopy()
	if err := r.automation.carryOut(ctx, decision, scene, status); err != nil {
		_, failed := r.write(ctx, written, status, "")
		return 0, errors.Join(err, failed)
	}
	return decision.Again, nil
}

// write applies the status if it changed, and counts what it says for the first time.
// The whisper holds it then, unless it is gone or not of that version any more.
func (r *whisperReconciler) write(ctx context.Context, whisper *v1alpha1.KernelWhisper, status *v1alpha1.KernelWhisperStatus, version string) (held bool, err error) {
	if equality.Semantic.DeepEqual(whisper.Status, *status) {
		return true, nil
	}
	held, err = r.status.write(ctx, kindWhisper, whisper, status, version)
	if held {
		r.telemetry.record(&whisper.Status, status)
	}
	return held, err
}

// sooner of two times to look again, of which 0 is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// metric asks the metrics API if it has to. Its silence or failure does not hold
// up the verdict, which then goes by the kernel's own counters until a figure
// comes.
func (r *whisperReconciler) metric(ctx context.Context, whisper *v1alpha1.KernelWhisper) *verdict.Metric {
	if !verdict.NeedsMetric(whisper, r.now()) {
		return nil
	}
	metric, err := r.metrics.Container(ctx, whisper.Namespace, whisper.Spec.PodRef.Name, whisper.Spec.ContainerName)
	if err != nil {
		log.FromContext(ctx).Info("metrics.k8s.io did not answer, using averages of the kernel's counters", "error", err.Error())
		return &verdict.Metric{Missing: v1alpha1.MetricsNoAnswer}
	}
	return metric
}

// nextLook is when a judged whisper has to be judged again though its spec stays
// as it is; 0 means never.
func nextLook(whisper *v1alpha1.KernelWhisper, now time.Time) time.Duration {
	if verdict.NeedsMetric(whisper, now) {
		return metricRetry
	}
	return untilSilent(&whisper.Spec, now)
}

// untilSilent is when to look again at an episode whose observer may fall
// silent; 0 means never.
func untilSilent(spec *v1alpha1.KernelWhisperSpec, now time.Time) time.Duration {
	if spec.EndTime != nil {
		return 0
	}
	return max(0, verdict.SilentAfter-verdict.SilentFor(spec, now))
}

func (r *whisperReconciler) register(mgr manager.Manager, workers int) error {
	err := builder.ControllerManagedBy(mgr).
		Named("whisper").
		For(&v1alpha1.KernelWhisper{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("register whisper controller: %w", err)
	}
	return nil
}
