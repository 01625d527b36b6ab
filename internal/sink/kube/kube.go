// SPDX-License-Identifier: Apache-2.0

// Package kube writes certificates and whispers to the API server by
// server-side apply. Each write is retried until it succeeds or can never
// succeed; of several writes to one object that wait, the latest counts.
package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/client-go/util/workqueue"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// FieldManager owns the fields that the observer writes.
const FieldManager = "kernel-observer"

// Resources of the two kinds.
const (
	certificates = "podbirthcertificates"
	whispers     = "kernelwhispers"
)

const (
	// waitingMax objects of at most 16 KiB are kept while the API server is away.
	waitingMax   = 2_000
	retryFirst   = 100 * time.Millisecond
	retryMax     = 30 * time.Second
	writeTimeout = 10 * time.Second
	// forbiddenTries is how often a write is tried that the API server forbids:
	// permissions may come a little later than the observer.
	forbiddenTries = 10
	// perSecond and atOnce bound the writes of one observer among thousands. At the end
	// they do not count: what waits then has seconds, and is not written otherwise.
	perSecond = 20
	atOnce    = 100
	// endTime is for how long writing goes on once the observer was told to end; its
	// pod is killed after 10 s (terminationGracePeriodSeconds).
	endTime = 8 * time.Second
)

type key struct{ resource, namespace, name string }

// Stats are a sink's running totals.
type Stats struct {
	// Written, Refused (can never succeed), Dropped (too many waiting, or not
	// written by the end) and Retried writes.
	Written, Refused, Dropped, Retried uint64
	// Waiting objects.
	Waiting int
}

// Sink is a queue of objects and the worker that writes them.
type Sink struct {
	client dynamic.Interface
	log    *slog.Logger
	queue  workqueue.TypedRateLimitingInterface[key]
	pace   flowcontrol.RateLimiter

	mu      sync.Mutex
	waiting map[key]runtime.Object
	stats   Stats
	last    error // of a write at the end
}

// New makes a sink; Run writes what it is given. The sink keeps to a rate by itself:
// a client with a rate of its own (QPS) would hold up the writes at the end.
func New(client dynamic.Interface, log *slog.Logger) *Sink {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[key](retryFirst, retryMax)
	return &Sink{
		client: client, log: log,
		queue:   workqueue.NewTypedRateLimitingQueue(limiter),
		pace:    flowcontrol.NewTokenBucketRateLimiter(perSecond, atOnce),
		waiting: map[key]runtime.Object{},
	}
}

// Certificate queues a certificate.
func (s *Sink) Certificate(c *v1alpha1.PodBirthCertificate) {
	s.put(key{certificates, c.Namespace, c.Name}, c)
}

// Whisper queues a whisper.
func (s *Sink) Whisper(w *v1alpha1.KernelWhisper) {
	s.put(key{whispers, w.Namespace, w.Name}, w)
}

// Stats returns the running totals.
func (s *Sink) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.Waiting = len(s.waiting)
	return out
}

func (s *Sink) put(k key, object runtime.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.waiting[k]; !again && len(s.waiting) >= waitingMax {
		s.stats.Dropped++
		s.log.Error("too many objects wait for the API server: dropped one", "resource", k.resource, "namespace", k.namespace, "name", k.name)
		return
	}
	s.waiting[k] = object
	s.queue.Add(k)
}

// writers is how many writes are under way at once: when many births end, the
// last of them need not wait for the API server to answer for all the others. The
// queue never gives one object to two.
const writers = 4

// Run writes until ctx is done, and then tries once more what still waits: see finish.
func (s *Sink) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, s.queue.ShutDown)
	defer stop()
	// A write that is under way when ctx is done goes on within the time for the end.
	lasting, cancel := outlive(ctx, endTime)
	defer cancel()
	var all sync.WaitGroup
	for range writers {
		all.Go(func() { s.write(ctx, lasting) })
	}
	all.Wait()
	s.finish(lasting)
}

// write takes from the queue until ctx is done.
func (s *Sink) write(ctx, lasting context.Context) {
	for {
		k, down := s.queue.Get()
		if down {
			return
		}
		if s.pace.Wait(ctx) == nil { // it fails once ctx is done
			s.writeNext(lasting, k)
		}
		s.queue.Done(k)
	}
}

func (s *Sink) writeNext(ctx context.Context, k key) {
	s.mu.Lock()
	object := s.waiting[k]
	s.mu.Unlock()
	if object == nil {
		return
	}
	err := s.apply(ctx, k, object)
	switch {
	case err == nil:
		s.settle(k, object, &s.stats.Written)
	case hopeless(err) || apierrors.IsForbidden(err) && s.queue.NumRequeues(k) >= forbiddenTries:
		s.settle(k, object, &s.stats.Refused)
		s.log.Error("the API server refused an object", "resource", k.resource, "namespace", k.namespace, "name", k.name, "error", err)
	default:
		s.retry(k, err)
	}
}

func (s *Sink) retry(k key, err error) {
	if s.queue.ShuttingDown() { // what comes of it, finish tells
		s.mu.Lock()
		s.last = err
		s.mu.Unlock()
		return
	}
	s.mu.Lock()
	s.stats.Retried++
	s.mu.Unlock()
	if s.queue.NumRequeues(k) == 0 {
		s.log.Warn("cannot write to the API server, trying again", "resource", k.resource, "namespace", k.namespace, "name", k.name, "error", err)
	}
	s.queue.AddRateLimited(k)
}

// settle counts the end of a write and forgets the object, unless a newer one
// has taken its place meanwhile.
func (s *Sink) settle(k key, object runtime.Object, count *uint64) {
	s.queue.Forget(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	*count++
	if s.waiting[k] == object {
		delete(s.waiting, k)
	}
}

// hopeless is true for what no later try can mend: the object is invalid, or
// its namespace is gone or going.
func hopeless(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err) ||
		apierrors.HasStatusCause(err, "NamespaceTerminating") ||
		apierrors.IsNotFound(err) && namespaceMissing(err)
}

// namespaceMissing tells a missing namespace from missing resource
// definitions, which may still be installed.
func namespaceMissing(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

func (s *Sink) apply(ctx context.Context, k key, object runtime.Object) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return fmt.Errorf("convert %s: %w", k.name, err)
	}
	delete(content, "status")
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	gvr := v1alpha1.GroupVersion.WithResource(k.resource)
	_, err = s.client.Resource(gvr).Namespace(k.namespace).Apply(ctx, k.name,
		&unstructured.Unstructured{Object: content}, metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
	return err
}
