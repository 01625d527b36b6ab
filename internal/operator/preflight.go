// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// The question is small: an API server that needs longer than the timeout for
// it is in trouble.
const (
	preflightInterval = time.Second
	preflightTimeout  = 5 * time.Second
)

// errNotInstalled is an API server that does not know the two kinds.
var errNotInstalled = errors.New("custom resources " + v1alpha1.GroupVersion.String() + " are not installed: run kubectl apply -f k8s/")

// waitForAPI returns once the API server serves both kinds. Manifests that are
// applied in one go, or an API server that starts with the node, need a moment;
// after the timeout the last problem is returned, so that a restart is seen.
func waitForAPI(ctx context.Context, config *rest.Config, timeout time.Duration, logger *slog.Logger) error {
	short := rest.CopyConfig(config)
	short.Timeout = preflightTimeout
	client, err := discovery.NewDiscoveryClientForConfig(short)
	if err != nil {
		return fmt.Errorf("client of the API server: %w", err)
	}
	return waitUntil(ctx, timeout, logger, func(ctx context.Context) error { return serves(ctx, client, config.Host) })
}

// waitUntil returns once there is no problem any more; after the timeout it returns the last one.
func waitUntil(ctx context.Context, timeout time.Duration, logger *slog.Logger, check func(context.Context) error) error {
	var problem error
	err := wait.PollUntilContextTimeout(ctx, preflightInterval, timeout, true, func(context.Context) (bool, error) {
		now := check(ctx) // not cut short by the timeout: the last answer is the one that is told
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if now != nil && (problem == nil || now.Error() != problem.Error()) {
			logger.Warn("waiting for the API server", "problem", now, "for", timeout)
		}
		problem = now
		return now == nil, nil
	})
	if err != nil && problem != nil && ctx.Err() == nil {
		return fmt.Errorf("after %s: %w", timeout, problem)
	}
	return err
}

func serves(ctx context.Context, client *discovery.DiscoveryClient, host string) error {
	list, err := client.ServerResourcesForGroupVersionWithContext(ctx, v1alpha1.GroupVersion.String())
	switch {
	case apierrors.IsNotFound(err):
		return errNotInstalled
	case apierrors.IsUnauthorized(err), apierrors.IsForbidden(err):
		return fmt.Errorf("API server %s refuses the credentials: %w", host, err)
	case err != nil:
		return fmt.Errorf("API server %s does not answer, check KUBECONFIG and the network: %w", host, err)
	}
	for _, kind := range []string{kindCertificate, kindWhisper} {
		if !slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Kind == kind }) {
			return errNotInstalled
		}
	}
	return nil
}
