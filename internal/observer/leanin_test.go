// SPDX-License-Identifier: Apache-2.0

package observer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
)

// ear is a listener that hears what it is told to.
type ear struct {
	mu       sync.Mutex
	refuse   error
	heard    int // bursts per second
	serving  int // bursts per second that serve somebody
	began    map[uint64]time.Time
	stopped  int
	together int // the most that were listened to at once
}

func (e *ear) Start(cgroup uint64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refuse != nil {
		return e.refuse
	}
	e.began[cgroup] = time.Now()
	e.together = max(e.together, len(e.began))
	return nil
}

func (e *ear) Heard(cgroup uint64) (bursts, serving int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	passed := time.Since(e.began[cgroup]).Seconds()
	return int(passed * float64(e.heard)), int(passed * float64(e.serving))
}

func (e *ear) Stop(cgroup uint64) (event.Recording, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	from := e.began[cgroup]
	delete(e.began, cgroup)
	e.stopped++
	return event.Recording{Cgroup: cgroup, From: 1, To: 1 + uint64(time.Since(from))}, nil
}

// listenTo leans in on cgroup 7 and returns what came of it, and how long it took.
func listenTo(t *testing.T, e *ear, read func(id, pointer uint64) (event.Group, error), node func() (cpu.Node, error)) (observer.Heard, time.Duration) {
	t.Helper()
	e.began = map[uint64]time.Time{}
	ears := observer.NewEars(e, read, node, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go ears.Run(ctx)
	began := time.Now()
	ears.LeanIn(observer.LeanIn{
		LeanIn: cpu.LeanIn{ContainerID: "c", Why: cpu.WhyThrottled, For: 10 * time.Second, AtMost: 30 * time.Second},
		Levels: []observer.CgroupRef{{ID: 7, Pointer: 70}, {ID: 8, Pointer: 80}},
	})
	return <-ears.Heard(), time.Since(began)
}

func reading(id, pointer uint64) (event.Group, error) {
	return event.Group{Cgroup: id, Usage: pointer}, nil
}

func TestALeanIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steal := uint64(5)
		h, took := listenTo(t, &ear{}, reading, func() (cpu.Node, error) {
			steal += 3
			return cpu.Node{Time: 1, Steal: steal}, nil
		})
		r := h.Recording
		if h.Failed != "" || h.ContainerID != "c" || r.Cgroup != 7 || len(r.Before) != 2 || r.After[1].Cgroup != 8 {
			t.Errorf("%+v", h)
		}
		if took != 10*time.Second || r.Stolen != 30_000_000 {
			t.Errorf("took %s, %d ns stolen", took, r.Stolen)
		}
	})
}

func TestALeanInEndsWhenEnoughWasHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, took := listenTo(t, &ear{heard: 2 * observer.BurstsMax}, reading, nil)
		if h.Failed != "" || took > time.Second {
			t.Errorf("%q after %s", h.Failed, took)
		}
	})
}

func TestALeanInLastsLongerWhereLittleIsHeard(t *testing.T) {
	for serving, want := range map[int]time.Duration{
		0:   10 * time.Second, // it serves nobody: there is nothing to wait for
		3:   30 * time.Second,
		50:  20 * time.Second, // 1000 bursts
		200: 10 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			if h, took := listenTo(t, &ear{serving: serving}, reading, nil); h.Failed != "" || took != want {
				t.Errorf("%d a second: %q after %s, want %s", serving, h.Failed, took, want)
			}
		})
	}
}

func TestALeanInEndsWithItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		h, took := listenTo(t, &ear{serving: 3}, func(id, _ uint64) (event.Group, error) {
			g := event.Group{Cgroup: id, Quota: 10_000_000, Period: 100_000_000}
			if time.Since(began) > 4500*time.Millisecond && id == 8 {
				g.Quota *= 2
			}
			return g, nil
		}, nil)
		if h.Failed != "" || took < 4500*time.Millisecond || took > 6*time.Second {
			t.Errorf("%q after %s", h.Failed, took)
		}
		if cpu.Steady(h.Recording.Before, h.Recording.After) {
			t.Errorf("nothing tells that the limit was changed: %+v", h.Recording)
		}
	})
}

func TestALeanInThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ear{refuse: errors.New("no room")}
		if h, _ := listenTo(t, e, reading, nil); h.Failed != "start to listen: no room" || h.ContainerID != "c" {
			t.Errorf("%+v", h)
		}
		e = &ear{}
		gone := func(uint64, uint64) (event.Group, error) { return event.Group{}, errors.New("gone") }
		h, took := listenTo(t, e, gone, nil)
		if h.Failed == "" || took != 0 || e.stopped != 1 || len(e.began) != 0 {
			t.Errorf("%+v after %s; stopped %d times", h, took, e.stopped)
		}
	})
}

func TestTheEndOfTheObserverEndsLeanIns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ear{began: map[uint64]time.Time{}}
		ears := observer.NewEars(e, reading, nil, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { ears.Run(ctx); close(done) }()
		ears.LeanIn(observer.LeanIn{LeanIn: cpu.LeanIn{For: time.Hour}, Levels: []observer.CgroupRef{{ID: 7}}})
		synctest.Wait()
		stop()
		<-done
		if e.stopped != 1 || len(e.began) != 0 {
			t.Errorf("stopped %d times, %d are still listened to", e.stopped, len(e.began))
		}
	})
}

// Containers that are gone when their turn comes fail each in its own words: one of them
// is said in a while, and nothing is kept of them.
func TestLeanInsThatFailAreSaidOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		e := &ear{began: map[uint64]time.Time{}}
		ears := observer.NewEars(e, reading, nil, slog.New(slog.NewTextHandler(&out, nil)))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go ears.Run(ctx)
		for i := range 6 {
			e.mu.Lock()
			e.refuse = fmt.Errorf("no such cgroup: %d", i)
			e.mu.Unlock()
			ears.LeanIn(observer.LeanIn{Levels: []observer.CgroupRef{{ID: 7}}})
			<-ears.Heard()
			time.Sleep(20 * time.Second)
		}
		if n := strings.Count(out.String(), "cannot listen"); n != 2 {
			t.Errorf("said %d times in 100 s:\n%s", n, out.String())
		}
	})
}
