// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// soFar hears all that happened before it was called: events come in order, so it makes
// a cgroup and takes them up to that one's. What was not heard by then does not come,
// however slow the machine is. A kernel that leaves out runs of programs (7.x) may leave
// out this one, so others are made until one is heard.
func (k *kernel) soFar() {
	k.t.Helper()
	path := markUntil(k.t, func(below string) bool {
		_, ok := k.look(time.Second, func(e event.Event) bool { return isMark(e, below) })
		return ok
	})
	if path == "" {
		k.t.Fatalf("no cgroup was heard of; heard %d other events", len(k.kept))
	}
}

// isMark is true of the making of one of the cgroups of markUntil.
func isMark(e event.Event, below string) bool {
	return e.Kind == event.CgroupMkdir && strings.HasPrefix(e.Path, below)
}

// markUntil makes cgroups whose paths begin so until one of them has been heard. It
// returns how they begin, or nothing if none was heard in good time.
func markUntil(t *testing.T, heard func(below string) bool) string {
	t.Helper()
	below := fmt.Sprintf("/kernel-gossip-test-%d-mark-%d-", os.Getpid(), probe.Now())
	deadline := time.Now().Add(patience)
	for n := 0; time.Now().Before(deadline); n++ {
		dir := filepath.Join(hierarchy(t).Root, fmt.Sprint(below, n))
		if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
			t.Fatal(err)
		}
		found := heard(below)
		removeCgroup(t, dir)
		if found {
			return below
		}
	}
	return ""
}

// readSoFar reads all that a probe has ready, and what happened before it was called.
func readSoFar(t *testing.T, p *probe.Probe, hear func(event.Event)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	events, done := make(chan event.Event, 1<<16), make(chan error, 1)
	go func() { done <- p.Read(ctx, func(e event.Event) { events <- e }) }()
	below := markUntil(t, func(below string) bool {
		for late := time.After(time.Second); ; {
			select {
			case e := <-events:
				if isMark(e, below) {
					return true
				}
				if e.Kind != event.UpTo {
					hear(e)
				}
			case <-late:
				return false
			}
		}
	})
	stop()
	if err := <-done; err != nil || below == "" {
		t.Fatalf("read to the end: %v", err)
	}
}

// aloneOnFirstCPU does something on the first CPU alone, in a thread that ends with it.
func aloneOnFirstCPU(t *testing.T, do func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := toFirstCPU()
		if err == nil {
			err = do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
