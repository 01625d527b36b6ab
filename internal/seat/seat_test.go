// SPDX-License-Identifier: Apache-2.0

package seat

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func root(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), nil, 0o400); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOneAtATime(t *testing.T) {
	dir := root(t)
	first, err := Take(t.Context(), dir, "node1", func() { t.Error("taken by nobody") })
	if err != nil {
		t.Fatal(err)
	}
	other, err := Take(t.Context(), dir, "node2", func() { t.Error("another node's seat is taken") })
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan struct{})
	sits := make(chan *Seat)
	go func() {
		s, err := Take(context.Background(), dir, "node1", func() { close(waits) })
		if err != nil {
			t.Error(err)
		}
		sits <- s
	}()
	<-waits
	select {
	case <-sits:
		t.Fatal("two sit on one seat")
	default:
	}
	if err := errors.Join(first.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
	if err := (<-sits).Close(); err != nil {
		t.Fatal(err)
	}
}

// Many that ask at once get it one after the other.
func TestACrowd(t *testing.T) {
	dir := root(t)
	var sitting atomic.Int32
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			s, err := Take(context.Background(), dir, "node1", func() {})
			if err != nil {
				t.Error(err)
				return
			}
			if n := sitting.Add(1); n > 1 {
				t.Errorf("%d sit on one seat", n)
			}
			sitting.Add(-1)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestWhoStopsWaiting(t *testing.T) {
	dir := root(t)
	s, err := Take(t.Context(), dir, "node1", func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Take(ctx, dir, "node1", cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := Take(t.Context(), t.TempDir(), "node1", func() {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
