// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// change of a container's CPU, in millicores; 0 is none.
type change struct {
	container string
	// init is true for a sidecar, which stands among the init containers.
	init                   bool
	uid                    types.UID
	resourceVersion        string
	limitFrom, limitTo     int64
	requestFrom, requestTo int64
	requestWhy             string
	restarts               bool
}

// plan is the change that a whisper proposes for a pod, or the one to another
// limit where that is not 0. It is an error where the whisper is not about this
// pod as it is now, and where there is nothing to change.
func plan(pod *corev1.Pod, w *v1alpha1.KernelWhisper, limit int64) (change, error) {
	if err := resizable(pod, w); err != nil {
		return change{}, err
	}
	pr := w.Status.Proposal
	c := change{container: w.Spec.ContainerName, uid: pod.UID, resourceVersion: pod.ResourceVersion}
	if pr != nil {
		c.container = pr.ContainerName
	}
	container, err := c.find(pod)
	if err != nil {
		return change{}, err
	}
	c.limitFrom, c.requestFrom = container.Resources.Limits.Cpu().MilliValue(), container.Resources.Requests.Cpu().MilliValue()
	c.limitTo, c.requestTo = c.limitFrom, c.requestFrom
	if limit == 0 && pr == nil {
		return change{}, noProposal(w)
	}
	switch {
	case limit > 0:
		c.limitTo = limit
	default:
		if pr.LimitMillicores != nil {
			c.limitTo = *pr.LimitMillicores
		}
		if pr.RequestMillicores != nil {
			c.requestTo = *pr.RequestMillicores
		}
	}
	c.keepValid(pod.Status.QOSClass)
	c.restarts = slices.ContainsFunc(container.ResizePolicy, func(p corev1.ContainerResizePolicy) bool {
		return p.ResourceName == corev1.ResourceCPU && p.RestartPolicy == corev1.RestartContainer
	})
	return c, c.fresh(w)
}

// resizable refuses pods that a whisper is not about, and those that cannot be resized.
func resizable(pod *corev1.Pod, w *v1alpha1.KernelWhisper) error {
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	switch {
	case string(pod.UID) != string(w.Spec.PodRef.UID):
		return fmt.Errorf("whisper %s is about an earlier pod %s: that one (UID %s) is gone, and nothing was heard of its successor (UID %s) in it",
			w.Name, pod.Name, w.Spec.PodRef.UID, pod.UID)
	case pod.Spec.NodeName != w.Spec.NodeName:
		return fmt.Errorf("whisper %s is of node %s, and pod %s runs on node %s: a node has nothing to say about another's pods",
			w.Name, w.Spec.NodeName, pod.Name, pod.Spec.NodeName)
	case mirror:
		return fmt.Errorf("pod %s is a static one: change its manifest on node %s", pod.Name, pod.Spec.NodeName)
	case pod.DeletionTimestamp != nil:
		return fmt.Errorf("pod %s is being deleted", pod.Name)
	case pod.Status.Phase == corev1.PodSucceeded, pod.Status.Phase == corev1.PodFailed:
		return fmt.Errorf("pod %s is over (%s)", pod.Name, pod.Status.Phase)
	}
	return nil
}

// find the container among those that can be resized.
func (c *change) find(pod *corev1.Pod) (*corev1.Container, error) {
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == c.container {
			return &pod.Spec.Containers[i], nil
		}
	}
	for i := range pod.Spec.InitContainers {
		x := &pod.Spec.InitContainers[i]
		if x.Name != c.container {
			continue
		}
		if x.RestartPolicy == nil || *x.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			return nil, fmt.Errorf("container %s is an init container, which cannot be resized", c.container)
		}
		c.init = true
		return x, nil
	}
	return nil, fmt.Errorf("pod %s has no container %s that could be resized", pod.Name, c.container)
}

// keepValid moves the request where the limit leaves it no choice, and the
// limit of a Guaranteed pod with its request: a resize cannot change the class.
func (c *change) keepValid(class corev1.PodQOSClass) {
	switch {
	case class == corev1.PodQOSGuaranteed && c.limitTo != c.limitFrom:
		c.requestTo, c.requestWhy = c.limitTo, "it moves with the limit, because the pod is Guaranteed"
	case class == corev1.PodQOSGuaranteed && c.requestTo != c.requestFrom:
		c.limitTo, c.requestWhy = c.requestTo, "the limit moves with it, because the pod is Guaranteed"
	case c.limitTo > 0 && c.requestTo > c.limitTo:
		c.requestTo, c.requestWhy = c.limitTo, "a request cannot be above the limit"
	}
}

// fresh refuses what was computed for another limit than the present one.
func (c *change) fresh(w *v1alpha1.KernelWhisper) error {
	if c.limitFrom == c.limitTo && c.requestFrom == c.requestTo {
		if pr := w.Status.Proposal; pr != nil && pr.LimitMillicores == nil && pr.RequestMillicores == nil {
			return fmt.Errorf("whisper %s proposes neither another limit nor another request, but a cpu.max.burst, for which Kubernetes has no field; --limit sets a limit of your own", w.Name)
		}
		return fmt.Errorf("container %s already has a limit of %s and a request of %s", c.container, amount(c.limitFrom), amount(c.requestFrom))
	}
	heard, known := heardLimit(w)
	if !known || heard == c.limitFrom {
		return nil
	}
	return fmt.Errorf("whisper %s is out of date: it was heard at a limit of %s, and container %s has %s now; nothing was changed (kubectl gossip explain %s tells of the change)",
		w.Name, amount(heard), c.container, amount(c.limitFrom), w.Name)
}

// heardLimit is the container's limit that a whisper was heard at.
func heardLimit(w *v1alpha1.KernelWhisper) (millicores int64, known bool) {
	if pr := w.Status.Proposal; pr != nil {
		return pr.CurrentLimitMillicores, true
	}
	if cf := w.Spec.Counterfactual; cf != nil {
		return cf.LimitMillicores, true
	}
	k := &w.Spec.KernelTruth
	if k.ThrottledAt != v1alpha1.ThrottledAtContainer || k.PeriodMicroseconds <= 0 {
		return 0, false
	}
	return k.QuotaMicroseconds * 1000 / k.PeriodMicroseconds, true
}

// noProposal says why a whisper proposes nothing, and what to do.
func noProposal(w *v1alpha1.KernelWhisper) error {
	const own = "; --limit sets one of your own"
	switch {
	case w.Status.ObservedGeneration == 0:
		return fmt.Errorf("whisper %s was not judged yet: is the operator running?%s", w.Name, own)
	case w.Spec.Bursts == nil && w.Spec.BurstsMissing == v1alpha1.BurstsMissingCPUBudget:
		return fmt.Errorf("whisper %s has no proposal: its bursts were not recorded, because the observer had spent its CPU budget (--cpu-budget); they are once it has paid it back%s", w.Name, own)
	case w.Spec.Bursts == nil && w.Spec.EndTime == nil:
		return fmt.Errorf("whisper %s has no proposal yet: its bursts were not recorded so far (two containers of a node at a time); try again in some seconds%s", w.Name, own)
	case w.Spec.Bursts == nil:
		return fmt.Errorf("whisper %s has no proposal: it ended before its bursts were recorded%s", w.Name, own)
	case w.Status.Cause == v1alpha1.CauseAncestorLimit:
		return fmt.Errorf("whisper %s has no proposal: a limit above the pod stopped it, which no resources of the pod change", w.Name)
	case w.Status.Recommendation != "":
		return fmt.Errorf("whisper %s has no proposal: %s%s", w.Name, w.Status.Recommendation, own)
	}
	return fmt.Errorf("whisper %s has no proposal%s", w.Name, own)
}

func amount(millicores int64) string {
	if millicores == 0 {
		return "none"
	}
	return fmt.Sprintf("%dm", millicores)
}

// parseLimit reads the value of --limit in millicores; 0 where it was not given.
func parseLimit(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	q, err := resource.ParseQuantity(s)
	if err != nil {
		return 0, fmt.Errorf("--limit=%s: use an amount of CPU such as 750m or 1.5", s)
	}
	const most = 1_000_000 // CPUs; nothing has as many
	if q.Sign() <= 0 || q.CmpInt64(most) > 0 {
		return 0, fmt.Errorf("--limit=%s: use an amount of CPU above 0", s)
	}
	return q.MilliValue(), nil
}

// patch is the strategic merge patch of the change, which holds only for the pod
// as it was read.
func (c *change) patch() ([]byte, error) {
	resources := map[string]map[string]string{}
	set := func(kind string, from, to int64) {
		if from != to {
			resources[kind] = map[string]string{"cpu": amount(to)}
		}
	}
	set("limits", c.limitFrom, c.limitTo)
	set("requests", c.requestFrom, c.requestTo)
	if len(resources) == 0 {
		return nil, errors.New("there is nothing to change")
	}
	return c.document(resources, map[string]any{"uid": c.uid, "resourceVersion": c.resourceVersion})
}

// undo is the patch that takes the change back; nil where the API does not allow
// it, because a limit cannot be removed in place.
func (c *change) undo() []byte {
	resources := map[string]map[string]string{}
	for kind, x := range map[string][2]int64{"limits": {c.limitFrom, c.limitTo}, "requests": {c.requestFrom, c.requestTo}} {
		if x[0] == 0 && x[1] != 0 {
			return nil
		}
		if x[0] != x[1] {
			resources[kind] = map[string]string{"cpu": amount(x[0])}
		}
	}
	out, err := c.document(resources, nil)
	if err != nil {
		return nil
	}
	return out
}

func (c *change) document(resources, metadata any) ([]byte, error) {
	list := "containers"
	if c.init {
		list = "initContainers"
	}
	out := map[string]any{"spec": map[string]any{list: []any{map[string]any{"name": c.container, "resources": resources}}}}
	if metadata != nil {
		out["metadata"] = metadata
	}
	return json.Marshal(out)
}

// same is true if two plans change the same from the same.
func (c *change) same(other *change) bool {
	a, b := *c, *other
	a.resourceVersion, b.resourceVersion = "", ""
	return a == b
}
