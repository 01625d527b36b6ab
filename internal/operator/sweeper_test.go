// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// sweep lets the API server answer every deletion in namespace a with an error, and
// returns what was deleted.
func sweep(t *testing.T, answer error) (deleted []string, err error) {
	t.Helper()
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, metav1.AddMetaToScheme, v1alpha1.AddToScheme} {
		if err := add(types); err != nil {
			t.Fatal(err)
		}
	}
	telemetry, err := NewTelemetry(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	base := fake.NewClientBuilder().WithScheme(types)
	for _, namespace := range []string{"a", "b"} {
		for _, name := range []string{"one", "two"} {
			old := bornAgo(name, 25*time.Hour)
			old.Namespace = namespace
			base = base.WithObjects(&old)
		}
	}
	api := interceptor.NewClient(base.Build(), interceptor.Funcs{
		Delete: func(_ context.Context, _ client.WithWatch, o client.Object, _ ...client.DeleteOption) error {
			if o.GetNamespace() == "a" && o.GetName() == "one" {
				return answer
			}
			deleted = append(deleted, o.GetNamespace()+"/"+o.GetName())
			return nil
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if _, pods := list.(*metav1.PartialObjectMetadataList); pods {
				return nil
			}
			return c.List(ctx, list, options...)
		},
	})
	s := &Sweeper{Client: api, Pods: api, Retention: retention, Telemetry: telemetry, Now: func() time.Time { return clock }}
	err = s.Sweep(t.Context())
	slices.Sort(deleted)
	return deleted, err
}

// An object that cannot be deleted, say because a policy forbids it, keeps no other: it is
// met by every sweep, and what comes after it would fill etcd.
func TestARefusalEndsNoSweep(t *testing.T) {
	denied := apierrors.NewForbidden(schema.GroupResource{Resource: "podbirthcertificates"}, "one", errors.New("a policy"))
	deleted, err := sweep(t, denied)
	if !apierrors.IsForbidden(err) {
		t.Errorf("error %v", err)
	}
	if want := []string{"a/two", "b/one", "b/two"}; !slices.Equal(deleted, want) {
		t.Errorf("deleted %v, want %v", deleted, want)
	}
}

// Without an API server there is nothing to go on with.
func TestNoAnswerEndsTheSweep(t *testing.T) {
	deleted, err := sweep(t, errors.New("connection refused"))
	if err == nil || len(deleted) > 0 {
		t.Errorf("deleted %v, error %v", deleted, err)
	}
}
