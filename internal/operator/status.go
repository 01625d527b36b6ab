// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// statusWriter applies a status. It writes the whole status each time, and
// takes over every field of it, for status has one writer.
type statusWriter struct {
	client    client.Client
	telemetry *Telemetry
}

// write applies the status (a pointer to a status struct) to the object's
// status subresource. An object that is gone, or whose name now belongs to
// another object, needs no verdict: then nothing was written. With a version the
// same goes for an object that has changed since.
func (s statusWriter) write(ctx context.Context, kind string, object client.Object, status any, version string) (written bool, err error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(status)
	if err != nil {
		return false, fmt.Errorf("encode status: %w", err)
	}
	metadata := map[string]any{"namespace": object.GetNamespace(), "name": object.GetName(), "uid": string(object.GetUID())}
	if version != "" {
		metadata["resourceVersion"] = version
	}
	config := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       kind,
		"metadata":   metadata,
		"status":     fields,
	}})
	err = s.client.Status().Apply(ctx, config, client.FieldOwner(FieldOwner), client.ForceOwnership)
	switch {
	case err == nil:
		s.telemetry.verdicts.WithLabelValues(kind).Inc()
		return true, nil
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return false, nil
	case apierrors.IsInvalid(err):
		// The same status would be refused again: wait for the spec to change.
		return false, reconcile.TerminalError(fmt.Errorf("apply status: %w", err))
	default:
		return false, fmt.Errorf("apply status: %w", err)
	}
}
