// SPDX-License-Identifier: Apache-2.0

package kube_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/sink/kube"
)

// server takes what is applied, as answer says.
type server struct {
	dynamic.NamespaceableResourceInterface
	answer func(ctx context.Context, name string) error

	mu    sync.Mutex
	taken map[string]int
}

func (s *server) Resource(schema.GroupVersionResource) dynamic.NamespaceableResourceInterface {
	return s
}
func (s *server) Namespace(string) dynamic.ResourceInterface { return s }

func (s *server) Apply(ctx context.Context, name string, o *unstructured.Unstructured, _ metav1.ApplyOptions, _ ...string) (*unstructured.Unstructured, error) {
	if err := s.answer(ctx, name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[name]++
	return o, nil
}

// ending gives a sink n whispers while the server answers as before does, ends it
// after a minute, and lets the server answer as after does from then on. It returns
// how long the end took.
func ending(t *testing.T, n int, before, after func(ctx context.Context, name string) error) (kube.Stats, map[string]int, time.Duration, string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &server{taken: map[string]int{}, answer: func(c context.Context, name string) error {
		if ctx.Err() == nil {
			return before(c, name)
		}
		return after(c, name)
	}}
	var log bytes.Buffer
	sink := kube.New(s, slog.New(slog.NewTextHandler(&log, nil)))
	done := make(chan struct{})
	go func() {
		defer close(done)
		sink.Run(ctx)
	}()
	for i := range n {
		sink.Whisper(&v1alpha1.KernelWhisper{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("web-", i)}})
	}
	time.Sleep(time.Minute)
	began := time.Now()
	cancel()
	<-done
	return sink.Stats(), s.taken, time.Since(began), log.String()
}

func away(context.Context, string) error { return apierrors.NewServiceUnavailable("away") }
func back(context.Context, string) error { return nil }

func silent(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

// What waits for its next try, for up to 30 s, is tried at the end.
func TestTheEndTriesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stats, taken, took, log := ending(t, 30, away, back)
		if len(taken) != 30 || stats.Written != 30 || stats.Dropped != 0 || stats.Waiting != 0 || took > time.Second {
			t.Errorf("%+v, %d written, within %s", stats, len(taken), took)
		}
		if strings.Contains(log, "dropped") {
			t.Error(log)
		}
	})
}

// The rate at which an observer writes otherwise does not hold up its end: hundreds
// that wait are written within the time that its pod has.
func TestTheEndHasNoRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const waiting = 1_000
		slow := func(context.Context, string) error {
			time.Sleep(10 * time.Millisecond)
			return nil
		}
		stats, taken, took, _ := ending(t, waiting, away, slow)
		if len(taken) != waiting || stats.Dropped != 0 || took > 5*time.Second {
			t.Errorf("%+v, %d written, within %s", stats, len(taken), took)
		}
	})
}

// While it listens an observer does not write more than its share.
func TestWritesHaveARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		var mu sync.Mutex
		count := func(context.Context, string) error {
			mu.Lock()
			defer mu.Unlock()
			tries++
			return nil
		}
		before := 0
		ending(t, 2_000, count, func(context.Context, string) error {
			mu.Lock()
			defer mu.Unlock()
			before = tries
			return nil
		})
		if before < 1_200 || before > 1_350 { // in a minute: 100 at once, and 20 a second
			t.Errorf("%d writes within a minute", before)
		}
	})
}

// An API server that does not answer holds nothing up for longer than the pod has.
func TestTheEndHasADeadline(t *testing.T) {
	for name, before := range map[string]func(context.Context, string) error{"silent": silent, "away": away, "silent at last": away} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				after := silent
				if name == "away" {
					after = away
				}
				stats, _, took, log := ending(t, 30, before, after)
				if took > 9*time.Second || stats.Dropped != 30 || stats.Waiting != 0 || stats.Written != 0 {
					t.Errorf("%+v, within %s", stats, took)
				}
				if name == "away" && took > time.Second {
					t.Errorf("each is tried once, and that took %s", took)
				}
				if !strings.Contains(log, "dropped the rest") || !strings.Contains(log, "objects=30") {
					t.Error(log)
				}
			})
		})
	}
}
