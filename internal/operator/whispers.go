// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
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
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// metricRetry is the time between two questions for a figure that is not there
// yet: short against the window of a metric, which has to be caught while it
// overlaps the testimony.
const metricRetry = 5 * time.Second

// containerMetrics answers what metrics.k8s.io says of a container: nil without
// an error where it says nothing.
type containerMetrics interface {
	Container(ctx context.Context, namespace, pod, container string) (*verdict.Metric, error)
}

type whisperReconciler struct {
	client  client.Reader
	metrics containerMetrics
	status  statusWriter
	now     func() time.Time
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
	status := verdict.Whisper(whisper, r.metric(ctx, whisper), r.now())
	if !equality.Semantic.DeepEqual(whisper.Status, status) {
		if err := r.status.write(ctx, kindWhisper, whisper, &status); err != nil {
			return reconcile.Result{}, err
		}
	}
	whisper.Status = status
	return reconcile.Result{RequeueAfter: nextLook(whisper, r.now())}, nil
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
