// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
)

// waitForLease returns once the Lease of the leader election can be held in a
// namespace. The election itself would try for ever, in a namespace that does not
// exist too, and nothing would be judged.
func waitForLease(ctx context.Context, config *rest.Config, namespace string, timeout time.Duration, logger *slog.Logger) error {
	short := rest.CopyConfig(config)
	short.Timeout, short.QPS = preflightTimeout, -1
	client, err := coordination.NewForConfig(short)
	if err != nil {
		return fmt.Errorf("client of the API server: %w", err)
	}
	return waitUntil(ctx, timeout, logger, func(ctx context.Context) error {
		return leaseProblem(ctx, client.Leases(namespace), namespace)
	})
}

// leaseProblem asks with the two rights that the election has itself. That a Lease is
// not found does not tell whether its namespace exists; a creation that is only tried does.
func leaseProblem(ctx context.Context, leases coordination.LeaseInterface, namespace string) error {
	_, err := leases.Get(ctx, leaseName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName}}
		_, err = leases.Create(ctx, lease, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	}
	switch {
	case err == nil, apierrors.IsAlreadyExists(err):
		return nil
	case apierrors.IsNotFound(err):
		return fmt.Errorf("namespace %q does not exist: --namespace names that of the Lease for leader election", namespace)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("may not hold the Lease for leader election in namespace %q, if it exists at all (--namespace; kubectl apply -f k8s/ gives the right in kernel-gossip): %w", namespace, err)
	}
	return fmt.Errorf("find the Lease for leader election in namespace %q: %w", namespace, err)
}
