// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

const install = "kubectl apply -f k8s/"

// checks are what has to be right beside the kernels.
func (s *survey) checks(ctx context.Context, patients []*patient) ([]doctor.Check, error) {
	out := []doctor.Check{s.resources(), s.daemonSet(ctx), s.covered(patients), s.operator(ctx), s.admission(ctx), s.metrics()}
	rights, err := s.rights(ctx)
	if err != nil {
		return nil, err
	}
	return append(out, rights), nil
}

// resources asks for both kinds; everybody may.
func (s *survey) resources() doctor.Check {
	k := doctor.Check{Name: "resources"}
	version := v1alpha1.GroupVersion.String()
	list, err := s.client.Discovery().ServerResourcesForGroupVersion(version)
	if err != nil && !apierrors.IsNotFound(err) {
		return asked(k, "resources", err)
	}
	missing := []string{"podbirthcertificates", "kernelwhispers"}
	if list != nil {
		for _, r := range list.APIResources {
			missing = slices.DeleteFunc(missing, func(name string) bool { return name == r.Name })
		}
	}
	if len(missing) > 0 {
		k.State, k.Says, k.Mend = doctor.Failed, "the API server does not know "+strings.Join(missing, " and "), install
		return k
	}
	k.State, k.Says = doctor.OK, "podbirthcertificates and kernelwhispers of "+version
	return k
}

func (s *survey) daemonSet(ctx context.Context) doctor.Check {
	k := doctor.Check{Name: "observers"}
	d, err := s.client.AppsV1().DaemonSets(s.namespace).Get(ctx, "kernel-observer", metav1.GetOptions{})
	if err != nil {
		return asked(k, "DaemonSet kernel-observer in namespace "+s.namespace, err)
	}
	st := d.Status
	k.State, k.Says = doctor.OK, fmt.Sprintf("%d of %d are ready", st.NumberReady, st.DesiredNumberScheduled)
	switch {
	case st.NumberReady < st.DesiredNumberScheduled:
		k.State = doctor.Failed
		k.Mend = fmt.Sprintf("kubectl get pods -n %s -l %s -o wide; then describe those that are not ready, and read their logs", s.namespace, observerSelector)
	case st.DesiredNumberScheduled == 0:
		k.State, k.Says, k.Mend = doctor.Failed, "no node is chosen by the DaemonSet", "look at its nodeSelector and its affinity"
	case st.UpdatedNumberScheduled < st.DesiredNumberScheduled:
		k.State = doctor.Note
		k.Says += fmt.Sprintf(", %d of them of an older version", st.DesiredNumberScheduled-st.UpdatedNumberScheduled)
		k.Mend = fmt.Sprintf("kubectl rollout status daemonset/kernel-observer -n %s", s.namespace)
	}
	return k
}

// covered asks whether every node has an observer.
func (s *survey) covered(patients []*patient) doctor.Check {
	k := doctor.Check{Name: "nodes"}
	var bare []string
	for _, p := range patients {
		if p.Pod == "" {
			bare = append(bare, view.Clean(p.Name))
		}
	}
	switch {
	case s.nodesHidden:
		k.State, k.Says, k.Mend = doctor.Unknown, "you may not list nodes: those without an observer are not known", giveRights
	case len(bare) > 0:
		k.State = doctor.Failed
		k.Says = fmt.Sprintf("%d of %d with Linux have no observer: %s", len(bare), len(patients), some(bare))
		k.Mend = fmt.Sprintf("kubectl describe daemonset/kernel-observer -n %s: its nodeSelector or affinity leaves them out, or no pod could be made", s.namespace)
	default:
		k.State, k.Says = doctor.OK, fmt.Sprintf("all %d with Linux have an observer", len(patients))
		if len(patients) == 1 {
			k.Says = "the only one has an observer"
		}
	}
	return k
}

// some names a few of many.
func some(all []string) string {
	const few = 5
	if len(all) <= few {
		return strings.Join(all, ", ")
	}
	return strings.Join(all[:few], ", ") + fmt.Sprintf(" and %d more", len(all)-few)
}

func (s *survey) operator(ctx context.Context) doctor.Check {
	k := doctor.Check{Name: "operator"}
	d, err := s.client.AppsV1().Deployments(s.namespace).Get(ctx, "operator", metav1.GetOptions{})
	if err != nil {
		return asked(k, "Deployment operator in namespace "+s.namespace, err)
	}
	k.State, k.Says = doctor.OK, fmt.Sprintf("%d of %d is ready", d.Status.ReadyReplicas, d.Status.Replicas)
	if d.Status.ReadyReplicas == 0 {
		k.State, k.Says = doctor.Failed, "none is ready: certificates and whispers get no status"
		k.Mend = fmt.Sprintf("kubectl logs -n %s deployment/operator", s.namespace)
	}
	return k
}

// admission asks for what holds each observer to its own node.
func (s *survey) admission(ctx context.Context) doctor.Check {
	k := doctor.Check{Name: "admission"}
	const name = "kernel-gossip-observer-own-node"
	_, err := s.client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		_, err = s.client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(ctx, name, metav1.GetOptions{})
	}
	if apierrors.IsNotFound(err) {
		k.State, k.Says = doctor.Note, "no policy holds each observer to its own node"
		k.Mend = "kubectl apply -f k8s/50-admission.yaml (Kubernetes 1.30 and later)"
		return k
	}
	if err != nil {
		return asked(k, "ValidatingAdmissionPolicy "+name, err)
	}
	k.State, k.Says = doctor.OK, "each observer may testify for its own node only"
	return k
}

func (s *survey) metrics() doctor.Check {
	k := doctor.Check{Name: "metrics"}
	_, err := s.client.Discovery().ServerResourcesForGroupVersion("metrics.k8s.io/v1beta1")
	switch {
	case err == nil:
		k.State, k.Says = doctor.OK, "metrics.k8s.io is served: whispers quote it"
	case apierrors.IsNotFound(err):
		k.State, k.Says = doctor.Note, "metrics.k8s.io is not served: whispers compare with an average of their own"
		k.Mend = "install metrics-server, if you want to see what kubectl top would claim"
	default:
		return asked(k, "metrics.k8s.io", err)
	}
	return k
}

// asked is a check of something that could not be read.
func asked(k doctor.Check, what string, err error) doctor.Check {
	switch {
	case apierrors.IsNotFound(err):
		k.State, k.Says, k.Mend = doctor.Failed, "there is no "+what, install
	case apierrors.IsForbidden(err):
		k.State, k.Says, k.Mend = doctor.Unknown, "you may not read "+what, giveRights
	default:
		k.State, k.Says = doctor.Unknown, "cannot ask for "+what+": "+view.Clean(err.Error())
	}
	return k
}
