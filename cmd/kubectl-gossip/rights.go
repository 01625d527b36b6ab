// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
)

// giveRights is how somebody gets what the doctor reads (k8s/22-rbac-people.yaml).
const giveRights = "kubectl create clusterrolebinding NAME --clusterrole=kernel-gossip-doctor --user=YOU; " +
	"kubectl create rolebinding NAME -n kernel-gossip --role=kernel-gossip-doctor --user=YOU"

// rights asks whether the caller may do what the commands that only read do.
func (s *survey) rights(ctx context.Context) (doctor.Check, error) {
	k := doctor.Check{Name: "your rights"}
	var lacking []string
	for _, r := range []authorizationv1.ResourceAttributes{
		{Verb: "list", Resource: "nodes"},
		{Verb: "list", Resource: "pods", Namespace: s.namespace},
		{Verb: "get", Resource: "pods", Subresource: "proxy", Namespace: s.namespace},
		{Verb: "get", Group: "apps", Resource: "daemonsets", Namespace: s.namespace},
		{Verb: "get", Group: "apps", Resource: "deployments", Namespace: s.namespace},
		{Verb: "list", Group: v1alpha1.GroupVersion.Group, Resource: "podbirthcertificates"},
		{Verb: "list", Group: v1alpha1.GroupVersion.Group, Resource: "kernelwhispers"},
	} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &r}}
		got, err := s.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			if ctx.Err() != nil {
				return k, fmt.Errorf("ask for your rights: %w", context.Cause(ctx))
			}
			return asked(k, "your rights", err), nil
		}
		if !got.Status.Allowed {
			lacking = append(lacking, describeRight(r))
		}
	}
	if len(lacking) > 0 {
		k.State, k.Says, k.Mend = doctor.Note, "you may not "+strings.Join(lacking, ", "), giveRights
		return k, nil
	}
	k.State, k.Says = doctor.OK, "you may read all that kubectl gossip shows, in every namespace"
	return k, nil
}

func describeRight(r authorizationv1.ResourceAttributes) string {
	out := r.Verb + " " + r.Resource
	if r.Subresource != "" {
		out += "/" + r.Subresource
	}
	if r.Namespace != "" {
		return out + " in " + r.Namespace
	}
	if r.Resource == "nodes" {
		return out
	}
	return out + " in all namespaces"
}
