// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// podPage bounds one answer of the API server to the question which pods exist.
const podPage = 500

// Sweeper deletes what retention no longer keeps. It implements the manager's
// Runnable and runs on the leader only.
type Sweeper struct {
	// Client reads the two kinds, from a cache if it has one, and deletes.
	Client client.Client
	// Pods reads the metadata of pods, without a cache.
	Pods client.Reader
	// Retention to keep to.
	Retention Retention
	// Telemetry counts the deletions.
	Telemetry *Telemetry
	// Now is the clock.
	Now func() time.Time
}

// NeedLeaderElection implements the manager's LeaderElectionRunnable.
func (s *Sweeper) NeedLeaderElection() bool { return true }

// Start sweeps at once and then at every interval until the context ends.
func (s *Sweeper) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "retention stopped short, the next sweep goes on")
		}
	}, s.Retention.Interval)
	return nil
}

// holdings are the objects of one namespace.
type holdings struct {
	certificates []v1alpha1.PodBirthCertificate
	whispers     []v1alpha1.KernelWhisper
}

// Sweep goes once through all namespaces. What the API server refuses keeps no other
// object; where it does not answer the sweep ends.
func (s *Sweeper) Sweep(ctx context.Context) error {
	byNamespace, err := s.holdings(ctx)
	if err != nil {
		return err
	}
	var refusals []error
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		err := s.sweepNamespace(ctx, namespace, byNamespace[namespace])
		if err == nil {
			continue
		}
		refusals = append(refusals, fmt.Errorf("sweep namespace %s: %w", namespace, err))
		if !answered(err) {
			break
		}
	}
	return errors.Join(refusals...)
}

// answered is true for an error that the API server gave itself.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

func (s *Sweeper) holdings(ctx context.Context) (map[string]*holdings, error) {
	var certificates v1alpha1.PodBirthCertificateList
	if err := s.Client.List(ctx, &certificates, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	var whispers v1alpha1.KernelWhisperList
	if err := s.Client.List(ctx, &whispers, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list whispers: %w", err)
	}
	out := map[string]*holdings{}
	of := func(namespace string) *holdings {
		if out[namespace] == nil {
			out[namespace] = &holdings{}
		}
		return out[namespace]
	}
	for _, c := range certificates.Items {
		h := of(c.Namespace)
		h.certificates = append(h.certificates, c)
	}
	for _, w := range whispers.Items {
		h := of(w.Namespace)
		h.whispers = append(h.whispers, w)
	}
	return out, nil
}

func (s *Sweeper) sweepNamespace(ctx context.Context, namespace string, held *holdings) error {
	now := s.Now()
	if !s.Retention.needsPods(held.certificates, held.whispers, now) {
		return nil
	}
	pods, err := s.livePods(ctx, namespace)
	if err != nil {
		return err
	}
	first := s.delete(ctx, kindCertificate, s.Retention.doomedCertificates(held.certificates, pods, now))
	if first != nil && !answered(first) {
		return first
	}
	return errors.Join(first, s.delete(ctx, kindWhisper, s.Retention.doomedWhispers(held.whispers, pods, now)))
}

func (s *Sweeper) livePods(ctx context.Context, namespace string) (LivePods, error) {
	pods := LivePods{}
	for next := client.Continue(""); ; {
		page := &metav1.PartialObjectMetadataList{}
		page.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "PodList"})
		if err := s.Pods.List(ctx, page, client.InNamespace(namespace), client.Limit(podPage), next); err != nil {
			return nil, fmt.Errorf("list pods: %w", err)
		}
		for i := range page.Items {
			pods[page.Items[i].UID] = struct{}{}
		}
		if page.Continue == "" {
			return pods, nil
		}
		next = client.Continue(page.Continue)
	}
}

// delete removes exactly the objects that were judged: one that was changed or
// replaced meanwhile stays for the next sweep. Of several that the API server refuses to
// delete the first is told.
func (s *Sweeper) delete(ctx context.Context, kind string, doomed []Doomed) error {
	var refusal error
	for _, d := range doomed {
		uid, version := d.Object.GetUID(), d.Object.GetResourceVersion()
		err := s.Client.Delete(ctx, d.Object, client.Preconditions{UID: &uid, ResourceVersion: &version})
		switch {
		case apierrors.IsNotFound(err), apierrors.IsConflict(err):
			continue
		case err != nil && !answered(err):
			return fmt.Errorf("delete %s %s: %w", kind, d.Object.GetName(), err)
		case err != nil:
			refusal = cmp.Or(refusal, fmt.Errorf("delete %s %s: %w", kind, d.Object.GetName(), err))
			continue
		}
		s.Telemetry.deletions.WithLabelValues(kind, string(d.Reason)).Inc()
		log.FromContext(ctx).Info("deleted", "kind", kind, "namespace", d.Object.GetNamespace(), "name", d.Object.GetName(), "reason", string(d.Reason))
	}
	return refusal
}
