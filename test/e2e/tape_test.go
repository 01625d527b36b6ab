// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// sighting is one state of an object, and when the watch delivered it, by this
// machine's clock.
type sighting[T client.Object] struct {
	at     time.Time
	gone   bool
	object T
}

// tape records all that a watch delivers.
type tape[T client.Object] struct {
	kind    string
	mu      sync.Mutex
	all     []sighting[T]
	broken  string
	changed chan struct{} // closed and replaced with every sighting
}

// follow watches one kind in a namespace until the test ends.
func follow[T client.Object](t *testing.T, c client.WithWatch, list client.ObjectList, namespace string) *tape[T] {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	w, err := c.Watch(ctx, list, client.InNamespace(namespace))
	if err != nil {
		t.Fatalf("watch %T: %v", list, err)
	}
	r := &tape[T]{kind: strings.TrimSuffix(fmt.Sprintf("%T", list)[1:], "List"), changed: make(chan struct{})}
	go r.record(w)
	return r
}

func (r *tape[T]) record(w watch.Interface) {
	for e := range w.ResultChan() {
		object, ok := e.Object.(T)
		if !ok {
			r.stop(fmt.Sprintf("the watch said %s: %v", e.Type, e.Object))
			return
		}
		r.add(sighting[T]{time.Now(), e.Type == watch.Deleted, object})
	}
	r.stop("the watch ended")
}

func (r *tape[T]) add(s sighting[T]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, s)
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *tape[T]) stop(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = why
	close(r.changed)
	r.changed = make(chan struct{})
}

// sightings are all so far that pass, in their order.
func (r *tape[T]) sightings(pass func(sighting[T]) bool) []sighting[T] {
	all, _, _ := r.state()
	return slices.DeleteFunc(all, func(s sighting[T]) bool { return !pass(s) })
}

func (r *tape[T]) state() (all []sighting[T], broken string, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all), r.broken, r.changed
}

// await returns the first sighting that passes; the test fails if there is none
// within the limit.
func (r *tape[T]) await(t *testing.T, what string, limit time.Duration, pass func(sighting[T]) bool) sighting[T] {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		all, broken, changed := r.state()
		if i := slices.IndexFunc(all, pass); i >= 0 {
			return all[i]
		}
		if broken != "" {
			t.Fatalf("%s %s: %s", r.kind, what, broken)
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("%s: not %s within %s; %d sightings, the last: %s", r.kind, what, limit, len(all), last(all))
		}
	}
}

// first is what await returns, or nil if there is none within the limit.
func (r *tape[T]) first(t *testing.T, limit time.Duration, pass func(sighting[T]) bool) *sighting[T] {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		all, broken, changed := r.state()
		if i := slices.IndexFunc(all, pass); i >= 0 {
			return &all[i]
		}
		if broken != "" {
			t.Fatalf("%s: %s", r.kind, broken)
		}
		select {
		case <-changed:
		case <-deadline.C:
			return nil
		}
	}
}

func last[T client.Object](all []sighting[T]) string {
	if len(all) == 0 {
		return "none"
	}
	object := all[len(all)-1].object
	object.SetManagedFields(nil)
	text, err := yaml.Marshal(object)
	if err != nil {
		return err.Error()
	}
	return "\n" + string(text)
}
