// SPDX-License-Identifier: Apache-2.0

// Package pods tells the pods of one node as the API server knows them.
package pods

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
)

// Watch tells every state of every pod that is bound to the node, until ctx is
// done, and tells it again where its namespace opts out or in. It reconnects by
// itself; while the API server is away nothing is told. synced is closed when the pods
// that exist have been told.
func Watch(ctx context.Context, client kubernetes.Interface, node string, out chan<- observer.PodUpdate, synced chan<- struct{}) error {
	namespaces := informers.NewSharedInformerFactory(client, 0)
	nsInformer := namespaces.Core().V1().Namespaces()
	if err := nsInformer.Informer().SetTransform(keepAnnotation); err != nil {
		return fmt.Errorf("watch namespaces: %w", err)
	}
	podFactory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", node).String()
		}))
	informer := podFactory.Core().V1().Pods().Informer()
	if err := informer.SetTransform(keepOfBirth); err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}

	t := newTeller(ctx, out, func(name string) *corev1.Namespace {
		ns, err := nsInformer.Lister().Get(name)
		if err != nil {
			return nil
		}
		return ns
	})
	if _, err := nsInformer.Informer().AddEventHandler(t.ofNamespaces()); err != nil {
		return fmt.Errorf("watch namespaces: %w", err)
	}
	registration, err := informer.AddEventHandler(t.ofPods())
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	var wait sync.WaitGroup
	namespaces.Start(ctx.Done())
	namespaces.WaitForCacheSync(ctx.Done())
	wait.Go(func() { informer.RunWithContext(ctx) })
	if cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		close(synced)
	}
	wait.Wait()
	namespaces.Shutdown()
	return nil
}

// mirrorAnnotation holds the UID under which the kubelet runs a static pod,
// whose mirror in the API server has a UID of its own.
const mirrorAnnotation = "kubernetes.io/config.mirror"

// Convert takes what a birth needs out of an API object.
func Convert(pod *corev1.Pod) birth.Pod {
	p := birth.Pod{
		UID: string(pod.UID), Namespace: pod.Namespace, Name: pod.Name,
		Phase:    string(pod.Status.Phase),
		Reason:   pod.Status.Reason,
		Message:  pod.Status.Message,
		Deleted:  pod.DeletionTimestamp != nil,
		OptedOut: pod.Annotations[v1alpha1.AnnotationObserve] == "false",
	}
	if uid := pod.Annotations[mirrorAnnotation]; uid != "" {
		p.UID, p.Mirror = uid, true
	}
	if owner := metav1.GetControllerOf(pod); owner != nil {
		p.Workload = &v1alpha1.WorkloadReference{Kind: owner.Kind, Name: owner.Name}
	}
	p.Created = pod.CreationTimestamp.Time
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
			p.Scheduled = c.LastTransitionTime.Time
		}
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			p.Ready, p.ReadySince = true, c.LastTransitionTime.Time
		}
	}
	p.Containers = append(initContainers(pod),
		containers(pod.Spec.Containers, pod.Status.ContainerStatuses)...)
	p.Ephemeral = ephemeral(pod)
	p.FirstStarted = firstStarted(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	return p
}

// firstStarted is when the first container was started of those that are told; zero if
// none was.
func firstStarted(statuses ...[]corev1.ContainerStatus) time.Time {
	var first time.Time
	note := func(s corev1.ContainerState) {
		var at time.Time
		switch {
		case s.Running != nil:
			at = s.Running.StartedAt.Time
		case s.Terminated != nil:
			at = s.Terminated.StartedAt.Time
		}
		// A container that could not be started has the beginning of time.
		if at.Unix() > 0 && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	for _, all := range statuses {
		for _, s := range all {
			note(s.State)
			note(s.LastTerminationState)
		}
	}
	return first
}

// ephemeral are the ids of the ephemeral containers.
func ephemeral(pod *corev1.Pod) []string {
	byName := map[string]string{}
	for _, s := range pod.Status.EphemeralContainerStatuses {
		_, byName[s.Name], _ = strings.Cut(s.ContainerID, "://")
	}
	var ids []string
	for _, c := range pod.Spec.EphemeralContainers {
		ids = append(ids, byName[c.Name])
	}
	return ids
}

func containers(specs []corev1.Container, statuses []corev1.ContainerStatus) []birth.Container {
	byName := map[string]corev1.ContainerStatus{}
	for _, s := range statuses {
		byName[s.Name] = s
	}
	var all []birth.Container
	for _, spec := range specs {
		c := container(spec.Name, byName[spec.Name])
		c.CPURequest = cpuRequest(spec, byName[spec.Name])
		all = append(all, c)
	}
	return all
}

// cpuRequest is the request that is in force; the spec's while the kubelet has
// not told.
func cpuRequest(spec corev1.Container, s corev1.ContainerStatus) *int64 {
	requests := spec.Resources.Requests
	if s.Resources != nil {
		requests = s.Resources.Requests
	}
	millicores := requests.Cpu().MilliValue()
	return &millicores
}

// initContainers are containers of which those that do not restart for ever
// (sidecars do) must end.
func initContainers(pod *corev1.Pod) []birth.Container {
	all := containers(pod.Spec.InitContainers, pod.Status.InitContainerStatuses)
	for i, spec := range pod.Spec.InitContainers {
		all[i].Sidecar = spec.RestartPolicy != nil && *spec.RestartPolicy == corev1.ContainerRestartPolicyAlways
		all[i].Init = !all[i].Sidecar
	}
	return all
}

func container(name string, s corev1.ContainerStatus) birth.Container {
	c := birth.Container{
		Name: name, Restarts: s.RestartCount, Running: s.State.Running != nil,
		Started: s.Started != nil && *s.Started, Ready: s.Ready,
	}
	if scheme, id, ok := strings.Cut(s.ContainerID, "://"); ok {
		c.Runtime, c.ID = scheme, id
	}
	if w := s.State.Waiting; w != nil {
		c.WaitingReason, c.Message = w.Reason, w.Message
	}
	ended := s.State.Terminated
	if ended == nil && s.State.Running == nil || isUnknown(ended) {
		ended = s.LastTerminationState.Terminated
	}
	c.Ended = endedOf(ended)
	if c.Running {
		c.Before = endedOf(s.LastTerminationState.Terminated)
	}
	return c
}

// endedOf is how a container ended, nil where the kubelet does not know.
func endedOf(t *corev1.ContainerStateTerminated) *birth.Ended {
	if t == nil || isUnknown(t) {
		return nil
	}
	_, id, _ := strings.Cut(t.ContainerID, "://")
	return &birth.Ended{ID: id, ExitCode: t.ExitCode, Signal: t.Signal, Reason: t.Reason, Message: t.Message}
}

// isUnknown is true for what the kubelet says of a container that is not there when its
// pod ends, be it that it waited to be started again: nothing of how it ended
// (pkg/kubelet/kubelet_pods.go).
func isUnknown(ended *corev1.ContainerStateTerminated) bool {
	return ended != nil && ended.Reason == "ContainerStatusUnknown"
}
