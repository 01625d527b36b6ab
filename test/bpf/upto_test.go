// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// lateness is by how much an event may come after the reader has said that it has told
// all up to then: a program reads the clock before it hands its event over, and on 7.x
// another task may have its CPU in between. A birth has settled for as long.
const lateness = uint64(300 * time.Millisecond)

// What has happened before the time that event.UpTo tells has been told: at rest, where
// nobody wakes the reader for it, and while events come without an end.
func TestUpTo(t *testing.T) {
	needKernel(t)
	for name, without := range map[string]hooks.Without{"as well as any": {}, "perf buffers": without(t, "ringbuf")} {
		t.Run(name, func(t *testing.T) { testUpTo(t, without) })
	}
}

func testUpTo(t *testing.T, without hooks.Without) {
	t.Helper()
	p, err := probe.Load(withTypes(probe.Options{Without: without, Runtimes: []string{runtimeName}}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	events, done := make(chan event.Event, 1<<16), make(chan error, 1)
	go func() { done <- p.Read(ctx, func(e event.Event) { events <- e }) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	u := upTo{t: t, events: events, made: map[string]bool{}}
	below := fmt.Sprint("kernel-gossip-test-", probe.Now(), "-")
	root := hierarchy(t).Root
	for n := range 3 {
		makeDir(t, filepath.Join(root, below)+fmt.Sprint(n))
		u.take(probe.Now())
		if path := fmt.Sprint("/", below, n); !u.made[path] {
			t.Errorf("%s was made before the time up to which all has been told", path)
		}
	}
	busy, rest := context.WithTimeout(ctx, time.Second)
	defer rest()
	for n := 0; busy.Err() == nil; n++ {
		dir := filepath.Join(root, below) + fmt.Sprint("busy-", n)
		if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
			t.Fatal(err)
		}
		removeCgroup(t, dir)
		if n%64 == 0 {
			u.drain()
		}
	}
	u.take(probe.Now())
	t.Logf("%d events, up to %d times", u.heard, u.times)
}

// upTo is what a reader has told, and how far it said that it was.
type upTo struct {
	t            *testing.T
	events       <-chan event.Event
	made         map[string]bool
	at           uint64
	heard, times int
}

// take hears events until all before a time has been told.
func (u *upTo) take(until uint64) {
	u.t.Helper()
	for deadline := time.After(patience); u.at < until; {
		select {
		case e := <-u.events:
			u.hear(e)
		case <-deadline:
			u.t.Fatalf("told up to %d, %d wanted", u.at, until)
		}
	}
}

func (u *upTo) drain() {
	for len(u.events) > 0 {
		u.hear(<-u.events)
	}
}

func (u *upTo) hear(e event.Event) {
	if e.Kind == event.UpTo {
		if e.Time < u.at {
			u.t.Errorf("up to %d after up to %d", e.Time, u.at)
		}
		u.at, u.times = e.Time, u.times+1
		return
	}
	if e.Time+lateness < u.at {
		u.t.Errorf("%s of %d after all up to %d", e.Kind, e.Time, u.at)
	}
	u.made[e.Path] = u.made[e.Path] || e.Kind == event.CgroupMkdir
	u.heard++
}
