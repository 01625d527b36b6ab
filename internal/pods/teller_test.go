// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
)

// patience bounds a failure, not a success.
const patience = 20 * time.Second

func optOut(says string) map[string]string {
	if says == "" {
		return nil
	}
	return map[string]string{v1alpha1.AnnotationObserve: says}
}

func namespace(name, says string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: optOut(says)}}
}

func pod(namespace, name, uid, says string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(uid), Annotations: optOut(says)},
		Spec:       corev1.PodSpec{NodeName: "node1"},
	}
}

// listener takes what is told.
type listener struct {
	t   *testing.T
	out chan observer.PodUpdate
}

func (l listener) next() observer.PodUpdate {
	l.t.Helper()
	select {
	case u := <-l.out:
		return u
	case <-time.After(patience):
		l.t.Fatal("nothing is told")
	}
	return observer.PodUpdate{}
}

func (l listener) nothing() {
	l.t.Helper()
	select {
	case u := <-l.out:
		l.t.Errorf("told %+v", u)
	default:
	}
}

// A namespace that opts out does so for the pods that it has, through the API.
func TestANamespaceOptsOut(t *testing.T) {
	client := fake.NewClientset(namespace("shop", ""), namespace("other", ""), pod("shop", "web", "u1", ""), pod("other", "job", "u2", ""))
	ctx, cancel := context.WithCancel(t.Context())
	l := listener{t, make(chan observer.PodUpdate, 100)}
	synced, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- Watch(ctx, client, "node1", l.out, synced) }()
	select {
	case <-synced:
	case <-time.After(patience):
		t.Fatal("not synced")
	}
	for range 2 {
		if u := l.next(); u.Pod.OptedOut || u.Gone {
			t.Errorf("%+v", u)
		}
	}
	for _, says := range []string{"false", "true", "false", ""} {
		if _, err := client.CoreV1().Namespaces().Update(ctx, namespace("shop", says), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if u := l.next(); u.Pod.UID != "u1" || u.Pod.OptedOut != (says == "false") || u.Gone {
			t.Errorf("at %q: %+v", says, u)
		}
	}
	l.nothing()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// by is a teller that is told by hand.
func by(t *testing.T) (*teller, listener, map[string]*corev1.Namespace) {
	l := listener{t, make(chan observer.PodUpdate, 100)}
	known := map[string]*corev1.Namespace{}
	return newTeller(t.Context(), l.out, func(name string) *corev1.Namespace { return known[name] }), l, known
}

// Pods are told again only where something has changed for them.
func TestPodsAreToldAgain(t *testing.T) {
	x, l, known := by(t)
	say := func(says string) {
		known["shop"] = namespace("shop", says)
		x.ofNamespaces().OnUpdate(nil, known["shop"])
	}
	say("")
	x.ofPods().OnAdd(pod("shop", "web", "u1", ""), true)
	x.ofPods().OnAdd(pod("shop", "own", "u2", "false"), true)
	if one, two := l.next(), l.next(); one.Pod.OptedOut || !two.Pod.OptedOut {
		t.Errorf("%+v, %+v", one, two)
	}
	say("true")
	l.nothing()
	say("false")
	for range 2 {
		if u := l.next(); !u.Pod.OptedOut || u.Gone {
			t.Errorf("%+v", u)
		}
	}
	say("")
	for range 2 {
		if u := l.next(); u.Pod.OptedOut != (u.Pod.UID == "u2") {
			t.Errorf("%+v", u)
		}
	}
	x.ofPods().OnDelete(cache.DeletedFinalStateUnknown{Obj: pod("shop", "web", "u1", "")})
	if u := l.next(); !u.Gone || u.Pod.UID != "u1" {
		t.Errorf("%+v", u)
	}
	if say("false"); l.next().Pod.UID != "u2" {
		t.Error("a pod that is gone is told again")
	}
	l.nothing()
}

// A namespace is heard of after its first pod, and is gone before its last.
func TestANamespaceThatIsNotKnown(t *testing.T) {
	x, l, known := by(t)
	x.ofPods().OnAdd(pod("shop", "web", "u1", ""), false)
	if l.next().Pod.OptedOut {
		t.Error("opted out before anybody said so")
	}
	known["shop"] = namespace("shop", "false")
	x.ofNamespaces().OnAdd(known["shop"], false)
	if !l.next().Pod.OptedOut {
		t.Error("not opted out")
	}
	delete(known, "shop")
	x.ofNamespaces().OnDelete(namespace("shop", "false"))
	x.ofPods().OnUpdate(pod("shop", "web", "u1", ""), pod("shop", "web", "u1", ""))
	if !l.next().Pod.OptedOut {
		t.Error("opted in by the end of its namespace")
	}
	l.nothing()
}

// After the API server was away a name may be another pod's.
func TestAnotherPodOfTheSameName(t *testing.T) {
	x, l, _ := by(t)
	x.ofPods().OnAdd(pod("shop", "db-0", "u1", ""), true)
	x.ofPods().OnUpdate(pod("shop", "db-0", "u1", ""), pod("shop", "db-0", "u2", ""))
	if l.next(); len(l.out) != 2 {
		t.Fatalf("%d are told", len(l.out))
	}
	if gone, is := l.next(), l.next(); !gone.Gone || gone.Pod.UID != "u1" || is.Gone || is.Pod.UID != "u2" {
		t.Errorf("%+v, %+v", gone, is)
	}
	if len(x.told) != 1 {
		t.Errorf("%d are kept", len(x.told))
	}
}
