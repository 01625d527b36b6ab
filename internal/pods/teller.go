// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
)

// teller is the handler of both informers.
type teller struct {
	ctx context.Context //nolint:containedctx // the handler interface has no context of its own
	out chan<- observer.PodUpdate
	// namespace is what is known of a namespace now, nil if nothing is.
	namespace func(name string) *corev1.Namespace

	// mu is held while telling: what namespaces and what pods have to say comes in one
	// order.
	mu   sync.Mutex
	told map[types.UID]told
}

// told is a pod as it was last told.
type told struct {
	pod *corev1.Pod
	// out: its namespace opted out.
	out bool
}

func newTeller(ctx context.Context, out chan<- observer.PodUpdate, namespace func(string) *corev1.Namespace) *teller {
	return &teller{ctx: ctx, out: out, namespace: namespace, told: map[types.UID]told{}}
}

// ofPods is the handler of the informer of pods.
func (t *teller) ofPods() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { t.tell(o, false) },
		UpdateFunc: t.tellNext,
		DeleteFunc: func(o any) { t.tell(o, true) },
	}
}

// ofNamespaces is that of the informer of namespaces. The end of one says nothing: its
// pods have ended, or are about to.
func (t *teller) ofNamespaces() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    t.tellAgain,
		UpdateFunc: func(_, o any) { t.tellAgain(o) },
	}
}

// tellNext tells a pod that has changed. After the API server was away it may be another
// one of the same name.
func (t *teller) tellNext(before, now any) {
	was, ok := before.(*corev1.Pod)
	if is, also := now.(*corev1.Pod); ok && also && was.UID != is.UID {
		t.tell(was, true)
	}
	t.tell(now, false)
}

// tell tells a pod.
func (t *teller) tell(object any, gone bool) {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := told{pod, t.optedOut(pod.Namespace, t.told[pod.UID].out)}
	if t.told[pod.UID] = now; gone {
		delete(t.told, pod.UID)
	}
	t.send(now, gone)
}

// tellAgain tells the pods of a namespace once more whose opt-out has changed.
func (t *teller) tellAgain(object any) {
	ns, ok := object.(*corev1.Namespace)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for uid, was := range t.told {
		if was.pod.Namespace != ns.Name {
			continue
		}
		if now := (told{was.pod, t.optedOut(ns.Name, was.out)}); now != was {
			t.told[uid] = now
			t.send(now, false)
		}
	}
}

// optedOut is true for a namespace that opted out; of one that is not known (any more)
// it is what was known before.
func (t *teller) optedOut(namespace string, before bool) bool {
	ns := t.namespace(namespace)
	if ns == nil {
		return before
	}
	return ns.Annotations[v1alpha1.AnnotationObserve] == "false"
}

func (t *teller) send(is told, gone bool) {
	p := Convert(is.pod)
	p.OptedOut = p.OptedOut || is.out
	select {
	case t.out <- observer.PodUpdate{Pod: p, Gone: gone}:
	case <-t.ctx.Done():
	}
}
