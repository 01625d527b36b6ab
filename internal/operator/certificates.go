// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// workloadIndex finds the certificates of one workload within a namespace.
const workloadIndex = "workload"

func indexWorkload(object client.Object) []string {
	certificate, ok := object.(*v1alpha1.PodBirthCertificate)
	if !ok || certificate.Spec.WorkloadRef == nil {
		return nil
	}
	return []string{workloadKey(certificate.Spec.WorkloadRef)}
}

// workloadKey is unambiguous: a kind holds no slash.
func workloadKey(ref *v1alpha1.WorkloadReference) string {
	return ref.Kind + "/" + ref.Name
}

type certificateReconciler struct {
	client client.Reader
	status statusWriter
	now    func() time.Time
}

// Reconcile judges one certificate, once for each generation.
func (r *certificateReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	certificate := &v1alpha1.PodBirthCertificate{}
	if err := r.client.Get(ctx, request.NamespacedName, certificate); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !certificate.DeletionTimestamp.IsZero() || verdict.CertificateJudged(certificate) {
		return reconcile.Result{}, nil
	}
	others, err := r.ofSameWorkload(ctx, certificate)
	if err != nil {
		return reconcile.Result{}, err
	}
	status := verdict.Certificate(certificate, others, r.now())
	_, err = r.status.write(ctx, kindCertificate, certificate, &status, "")
	return reconcile.Result{}, err
}

// ofSameWorkload lists from the cache without copying: verdicts only read.
func (r *certificateReconciler) ofSameWorkload(ctx context.Context, certificate *v1alpha1.PodBirthCertificate) ([]v1alpha1.PodBirthCertificate, error) {
	if certificate.Spec.WorkloadRef == nil {
		return nil, nil
	}
	var list v1alpha1.PodBirthCertificateList
	err := r.client.List(ctx, &list,
		client.InNamespace(certificate.Namespace),
		client.MatchingFields{workloadIndex: workloadKey(certificate.Spec.WorkloadRef)},
		client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list births of the workload: %w", err)
	}
	return list.Items, nil
}

func (r *certificateReconciler) register(ctx context.Context, mgr manager.Manager, workers int) error {
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.PodBirthCertificate{}, workloadIndex, indexWorkload); err != nil {
		return fmt.Errorf("index certificates by workload: %w", err)
	}
	err := builder.ControllerManagedBy(mgr).
		Named("certificate").
		For(&v1alpha1.PodBirthCertificate{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("register certificate controller: %w", err)
	}
	return nil
}
