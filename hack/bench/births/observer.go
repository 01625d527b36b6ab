// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	patience = 2 * time.Minute
	// nowhere is no node's label: a DaemonSet that selects it runs nowhere.
	nowhere = "kernel-gossip.io/paused-by-bench"
)

// observer is the DaemonSet as it is deployed.
type observer struct {
	client client.WithWatch
	node   string // of which the births are measured
	known  bool   // it is known whether it runs
	on     bool
}

func (o *observer) pods(ctx context.Context) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := o.client.List(ctx, pods, client.InNamespace("kernel-gossip"), client.MatchingLabels{"app.kubernetes.io/name": "kernel-observer"})
	return pods.Items, err
}

// find takes the node that the observer runs on.
func (o *observer) find(ctx context.Context) error {
	pods, err := o.pods(ctx)
	if err != nil || len(pods) == 0 {
		return fmt.Errorf("find the observer's pods (%d found): run make deploy: %w", len(pods), err)
	}
	o.node = pods[0].Spec.NodeName
	return nil
}

// change starts or ends the observer unless it runs, or does not, already.
func (o *observer) change(ctx context.Context, on bool) error {
	if o.known && o.on == on {
		return nil
	}
	if err := o.set(ctx, on); err != nil {
		return err
	}
	o.known, o.on = true, on
	return nil
}

// groups are patterns of the cgroups of the observer's and the operator's pods, by
// component, where there is one of each.
func (o *observer) groups(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	for _, name := range []string{"kernel-observer", "operator"} {
		pods := &corev1.PodList{}
		if err := o.client.List(ctx, pods, client.InNamespace("kernel-gossip"), client.MatchingLabels{"app.kubernetes.io/name": name}); err != nil {
			return nil, fmt.Errorf("list the pods of %s: %w", name, err)
		}
		if len(pods.Items) == 1 && pods.Items[0].Spec.NodeName == o.node {
			out[name] = "*/kubepods/*/pod" + string(pods.Items[0].UID)
		}
	}
	return out, nil
}

// set starts or ends the observer and waits until it listens, or is gone.
func (o *observer) set(ctx context.Context, on bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	value := `"true"`
	if on {
		value = "null"
	}
	ds := &appsv1.DaemonSet{}
	ds.Namespace, ds.Name = "kernel-gossip", "kernel-observer"
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"nodeSelector":{%q:%s}}}}}`, nowhere, value)
	if err := o.client.Patch(ctx, ds, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("patch the DaemonSet: %w", err)
	}
	for {
		pods, err := o.pods(ctx)
		if err != nil {
			return fmt.Errorf("list the observer's pods: %w", err)
		}
		if settled(pods, on) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the observer did not come to be on=%t within %s", on, patience)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func settled(pods []corev1.Pod, on bool) bool {
	if !on {
		return len(pods) == 0
	}
	for _, p := range pods {
		if p.DeletionTimestamp != nil || p.Spec.NodeSelector[nowhere] != "" || !isReady(&p) {
			return false
		}
	}
	return len(pods) > 0
}

func isReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
