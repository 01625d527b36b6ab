// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cost"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// silent is a kernel in which nothing happens; one container is in it.
type silent struct {
	Kernel
	reads, losses int
}

const (
	silentPod       = "11111111-2222-3333-4444-555555555555"
	silentContainer = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
)

func (*silent) Walk(visit func(id, pointer uint64, path string)) error {
	visit(1, 1, "/")
	visit(2, 2, "/kubepods/pod"+silentPod)
	visit(3, 3, "/kubepods/pod"+silentPod+"/"+silentContainer)
	return nil
}

func (k *silent) ReadGroup(id, _ uint64) (event.Group, error) {
	if id == 3 {
		k.reads++
	}
	return event.Group{Cgroup: id, Quota: 1e7, Period: 1e8}, nil
}

func (k *silent) Lost() (event.Loss, error) { k.losses++; return event.Loss{}, nil }

func (*silent) Sessions() (map[uint64]uint64, error) { return nil, nil }

func (*silent) Arm() (uint64, error) { return 1, nil }

func (*silent) Disarm() error { return nil }

// account is in one step all the time.
type account struct {
	step    cost.Step
	charged map[cost.Part]int
	births  int
}

func (a *account) Charge(p cost.Part, work func()) { a.charged[p]++; work() }

func (a *account) Tick(_ time.Time, d cost.Doing) cost.Step {
	if d.Births {
		a.births++
	}
	return a.step
}

// runFor runs an engine for a minute, with a birth under way or not.
func runFor(t *testing.T, a *account, born bool) (*silent, Stats) {
	t.Helper()
	k := &silent{}
	began := time.Now()
	now := func() uint64 { return uint64(time.Since(began)) + uint64(time.Hour) }
	config := Config{
		Birth: birth.Config{NodeName: "node1", Timeout: time.Hour, Wall: func(uint64) time.Time { return time.Now() }},
		CPU:   cpu.DefaultConfig(), DisarmAfter: 5 * time.Second,
	}
	config.CPU.Wall = config.Birth.Wall
	e, err := NewEngine(config, k, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var last Stats
	pods := make(chan PodUpdate, 2)
	pods <- PodUpdate{Pod: birth.Pod{
		UID: silentPod, Namespace: "shop", Name: "web", Phase: "Running", Ready: true,
		Containers: []birth.Container{{Name: "web", ID: silentContainer}},
	}}
	if born {
		pods <- PodUpdate{Pod: birth.Pod{UID: "other", Namespace: "shop", Name: "coming", Phase: "Pending"}}
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute+50*time.Millisecond)
	defer stop()
	in := Inputs{
		Read: func(ctx context.Context, _ func(event.Event)) error { <-ctx.Done(); return nil },
		Pods: pods, Cost: a, Now: now, Stats: func(s Stats) { last = s },
	}
	if err := Run(ctx, e, in); err != nil {
		t.Fatal(err)
	}
	return k, last
}

func TestIntervals(t *testing.T) {
	for step, want := range map[cost.Step]struct{ readings, skipped int }{
		cost.Normal: {60, 0}, cost.Refused: {60, 0}, cost.Slow: {30, 30}, cost.Slowest: {15, 45},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &account{step: step, charged: map[cost.Part]int{}}
			k, s := runFor(t, a, false)
			if k.reads != want.readings || int(s.ReadingsSkipped) != want.skipped || a.charged[cost.PartSampling] != want.readings {
				t.Errorf("%s: %d readings, %d skipped, %d charged", step, k.reads, s.ReadingsSkipped, a.charged[cost.PartSampling])
			}
			if a.births > 5 {
				t.Errorf("%d seconds of births", a.births)
			}
		})
	}
}

// Births are looked after once a second while there are none, and never less often
// than every 400 ms while one is expected.
func TestBirthsAreLookedAfter(t *testing.T) {
	for step, want := range map[cost.Step]int{cost.Normal: 600, cost.Slow: 300, cost.Slowest: 150} {
		synctest.Test(t, func(t *testing.T) {
			a := &account{step: step, charged: map[cost.Part]int{}}
			if _, s := runFor(t, a, true); !s.Armed || a.births < 59 {
				t.Errorf("%s: armed %t, %d seconds of births", step, s.Armed, a.births)
			}
			e := &Engine{step: step, armedAt: 1, book: birth.NewBook(birth.Config{})}
			p := newPace()
			defer p.births.Stop()
			p.follow(e)
			if got := int(time.Minute / p.every); got != want {
				t.Errorf("%s: %d a minute, want %d", step, got, want)
			}
			e.idleFrom = 1
			if p.follow(e); p.every != 500*time.Millisecond {
				t.Errorf("%s: after the last birth every %s", step, p.every)
			}
			e.armedAt = 0
			if p.follow(e); p.every != time.Second {
				t.Errorf("%s: at rest every %s", step, p.every)
			}
		})
	}
}

func TestRestrain(t *testing.T) {
	e, err := NewEngine(Config{CPU: cpu.DefaultConfig()}, &silent{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	sample := func(periods uint32, at uint64) cpu.Sample {
		return cpu.Sample{
			Container: cpu.Container{Namespace: "shop", Pod: "web", PodUID: silentPod, Name: "web", ID: silentContainer},
			Levels:    []cpu.Level{{At: v1alpha1.ThrottledAtContainer, Group: event.Group{Cgroup: 3, Time: at, Quota: 1e7, Period: 1e8, Periods: periods, Throttled: periods}}},
		}
	}
	e.config.CPU.Wall = func(at uint64) time.Time { return time.Unix(0, int64(at)) }
	e.watch = cpu.NewWatch(e.config.CPU)
	var asked []LeanIn
	e.leanIn = func(l LeanIn) { asked = append(asked, l) }
	e.cgroups[silentContainer] = []CgroupRef{{ID: 3, Pointer: 3}}
	e.watch.Take(sample(0, 1e9))
	e.watch.Take(sample(10, 2e9))
	e.Restrain(cost.Slowest)
	if e.lean(2e9); len(asked) != 0 || e.Stats().CPU.Withheld != 1 {
		t.Errorf("%d lean-ins, %+v", len(asked), e.Stats().CPU)
	}
	e.Restrain(cost.Shortened)
	if e.lean(3e9); len(asked) != 1 || asked[0].For != 2500*time.Millisecond || !e.doing().LeanIns {
		t.Errorf("%+v", asked)
	}
}
