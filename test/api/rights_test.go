// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestRightsAreTheLeast(t *testing.T) {
	f := cluster(t)
	w := minimalWhisper(f.namespace(t))
	if err := f.admin(t).Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	w = judgedWhisper(t, f.admin(t), client.ObjectKeyFromObject(w))
	observer, judge := f.observer(t, "node1"), newClient(t, f.as(operatorUser, ""))
	for name, attempt := range map[string]func() error{
		"the observer writes status":   func() error { return observer.Status().Update(t.Context(), w.DeepCopy()) },
		"the observer deletes":         func() error { return observer.Delete(t.Context(), w.DeepCopy()) },
		"the observer updates":         func() error { return observer.Update(t.Context(), w.DeepCopy()) },
		"the operator writes spec":     func() error { return judge.Update(t.Context(), w.DeepCopy()) },
		"the operator creates":         func() error { return judge.Create(t.Context(), minimalWhisper(w.Namespace)) },
		"the operator applies to spec": func() error { return applySpec(t, judge, loose(t, minimalWhisper(w.Namespace))) },
	} {
		if err := attempt(); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want forbidden", name, err)
		}
	}
}

// right is what an account may do, in a namespace or in every one.
type right struct{ user, verb, group, resource, subresource, namespace string }

func (r right) allowed(t *testing.T, c client.Client) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: r.user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: r.verb, Group: r.group, Resource: r.resource, Subresource: r.subresource, Namespace: r.namespace,
		},
	}}
	if err := c.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// What neither does it may not do.
func TestRightsThatNobodyUsesAreNotGiven(t *testing.T) {
	f := cluster(t)
	const every = ""
	for _, r := range []right{
		{observerUser, "get", "", "pods", "", every},
		{observerUser, "get", "", "secrets", "", every},
		{observerUser, "get", "kernel-gossip.io", "kernelwhispers", "", every},
		{observerUser, "watch", "kernel-gossip.io", "podbirthcertificates", "", every},
		{operatorUser, "get", "kernel-gossip.io", "kernelwhispers", "", every},
		{operatorUser, "get", "", "pods", "", every},
		{operatorUser, "watch", "", "pods", "", every},
		{operatorUser, "patch", "", "pods", "resize", every},
		{operatorUser, "get", "", "nodes", "", every},
	} {
		if r.allowed(t, f.admin(t)) {
			t.Errorf("%+v is allowed", r)
		}
	}
}

func TestRightsAreEnough(t *testing.T) {
	f := cluster(t)
	const own, every = "kernel-gossip", ""
	for _, r := range []right{
		{observerUser, "watch", "", "pods", "", every},
		{observerUser, "watch", "", "namespaces", "", every},
		{observerUser, "list", "", "events", "", every},
		{observerUser, "list", "kernel-gossip.io", "podbirthcertificates", "", every},
		{observerUser, "create", "kernel-gossip.io", "kernelwhispers", "", every},
		{observerUser, "patch", "kernel-gossip.io", "podbirthcertificates", "", every},
		{operatorUser, "patch", "kernel-gossip.io", "podbirthcertificates", "status", every},
		{operatorUser, "watch", "kernel-gossip.io", "kernelwhispers", "", every},
		{operatorUser, "delete", "kernel-gossip.io", "kernelwhispers", "", every},
		{operatorUser, "list", "", "pods", "", every},
		{operatorUser, "get", "metrics.k8s.io", "pods", "", every},
		{operatorUser, "create", "coordination.k8s.io", "leases", "", own},
	} {
		if !r.allowed(t, f.admin(t)) {
			t.Errorf("%+v is not allowed", r)
		}
	}
}
