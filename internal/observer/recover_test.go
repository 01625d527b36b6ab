// SPDX-License-Identifier: Apache-2.0

package observer_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
)

const (
	weatherSec = uint64(time.Second)
	weatherUID = "00000000-0000-4000-8000-000000000001"
	weatherPod = "/kubepods/pod" + weatherUID
)

// table is a kernel whose cgroups are listed.
type table struct {
	observer.Kernel
	cgroups map[uint64]string
	loss    event.Loss
	forgot  []uint64
	walks   int
	// fails is how a walk ends, and shows what it then tells.
	fails error
	shows map[uint64]bool
}

func (k *table) Walk(visit func(id, pointer uint64, path string)) error {
	k.walks++
	for id, path := range k.cgroups {
		if k.fails == nil || k.shows[id] {
			visit(id, id, path)
		}
	}
	return k.fails
}

func (k *table) Lost() (event.Loss, error)                      { return k.loss, nil }
func (k *table) Arm() (uint64, error)                           { return 1, nil }
func (k *table) Counts(uint64) (event.SessionCounts, error)     { return event.SessionCounts{}, nil }
func (k *table) ReadGroup(_, _ uint64) (g event.Group, e error) { return }
func (k *table) Disarm() error                                  { return nil }
func (k *table) Sessions() (map[uint64]uint64, error)           { return nil, nil }
func (k *table) Forget(session uint64) error {
	k.forgot = append(k.forgot, session)
	return nil
}

func (k *table) engine(t *testing.T) *observer.Engine {
	t.Helper()
	began := time.Now()
	e, err := observer.NewEngine(observer.Config{
		Birth: birth.Config{Timeout: 10 * time.Minute, Wall: func(at uint64) time.Time { return began.Add(time.Duration(at)) }},
		CPU:   cpu.DefaultConfig(),
	}, k, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func beingBorn() birth.Pod {
	return birth.Pod{UID: weatherUID, Namespace: "ns", Name: "web", Phase: "Pending", Created: time.Now(), Containers: []birth.Container{{Name: "app"}}}
}

// After a loss the cgroups are walked once it is over: what is there is known, and
// what is not is forgotten in time.
func TestCgroupsAreWalkedAgainAfterALoss(t *testing.T) {
	k := &table{cgroups: map[uint64]string{1: "/", 2: "/stays", 3: "/goes"}}
	e := k.engine(t)
	e.Earlier(nil, weatherSec)
	e.Pod(beingBorn(), weatherSec)
	delete(k.cgroups, 3)
	k.cgroups[4] = weatherPod
	k.loss.Events = 7
	e.Births(2 * weatherSec)
	if s := e.Stats(); s.Cgroups != 3 || s.BirthsOpen != 0 {
		t.Errorf("while the loss may go on: %d cgroups, %d births", s.Cgroups, s.BirthsOpen)
	}
	e.Births(4 * weatherSec)
	if s := e.Stats(); s.Cgroups != 4 || s.BirthsOpen != 1 {
		t.Errorf("%d cgroups, want 4 with the one that is gone; %d births, want the pod's", s.Cgroups, s.BirthsOpen)
	}
	e.Births(6 * 60 * weatherSec)
	e.Sweep(6 * 60 * weatherSec)
	if s := e.Stats(); s.Cgroups != 3 {
		t.Errorf("%d cgroups, want those that are there", s.Cgroups)
	}
}

// open is a runtime that creates a container of the pod.
func open(session, at uint64) event.Event {
	const id = "abababababababababababababababababababababababababababababababab"
	return event.Event{Kind: event.SessionOpen, Session: session, Time: at, Open: &event.Open{
		Role: event.RoleRuntime, Args: []string{"runc", "create", id},
	}}
}

func withContainer() *table {
	return &table{cgroups: map[uint64]string{1: "/", 4: weatherPod,
		5: weatherPod + "/abababababababababababababababababababababababababababababababab"}}
}

// What a runtime did before it is known whether its pod is being born is not lost.
func TestWhatIsHeardBeforeThePodIsTold(t *testing.T) {
	k := withContainer()
	e := k.engine(t)
	e.Event(open(7, weatherSec), weatherSec)
	e.Pod(beingBorn(), 2*weatherSec)
	if len(k.forgot) != 0 || e.Stats().BirthsOpen != 0 {
		t.Fatalf("before it is known what was told: forgot %v, %d births", k.forgot, e.Stats().BirthsOpen)
	}
	e.Earlier(nil, 3*weatherSec)
	if len(k.forgot) != 0 || e.Stats().BirthsOpen != 1 {
		t.Errorf("forgot %v, %d births; want the session kept, in one birth", k.forgot, e.Stats().BirthsOpen)
	}
}

// A pod that has a certificate is not told of again from the middle.
func TestAPodThatHasACertificate(t *testing.T) {
	k := withContainer()
	e := k.engine(t)
	e.Event(open(7, weatherSec), weatherSec)
	e.Earlier(map[string][]string{weatherUID: {"web-00000000"}}, 2*weatherSec)
	e.Pod(beingBorn(), 3*weatherSec)
	if len(k.forgot) != 1 || e.Stats().BirthsOpen != 0 {
		t.Errorf("forgot %v, %d births; want its session forgotten and none", k.forgot, e.Stats().BirthsOpen)
	}
}

// Of a walk that did not find all nothing is taken to be gone: what it found is known,
// and there is another one.
func TestAWalkThatDidNotFindAll(t *testing.T) {
	k := &table{cgroups: map[uint64]string{1: "/", 2: "/stays", 3: "/goes"}}
	e := k.engine(t)
	e.Earlier(nil, weatherSec)
	e.Pod(beingBorn(), weatherSec)
	delete(k.cgroups, 3)
	k.cgroups[4], k.cgroups[5] = weatherPod, "/hidden"
	k.fails, k.shows = fmt.Errorf("walk: %w", event.ErrIncomplete), map[uint64]bool{1: true, 4: true}
	k.loss.Events = 7
	e.Births(2 * weatherSec)
	e.Births(4 * weatherSec)
	if s := e.Stats(); s.Cgroups != 4 || s.BirthsOpen != 1 || s.KernelErrors != 1 {
		t.Errorf("%d cgroups, want the three with what was found; %d births; %d errors", s.Cgroups, s.BirthsOpen, s.KernelErrors)
	}
	if gone := e.Gone(); len(gone) != 0 {
		t.Errorf("%q are taken to be gone", gone)
	}
	for range 20 {
		e.Births(5 * weatherSec)
	}
	if k.walks != 2 {
		t.Errorf("%d walks: it tries again and again", k.walks)
	}
	k.fails = nil
	e.Births(15 * weatherSec)
	if gone := e.Gone(); len(gone) != 1 || gone[0] != "/goes" || e.Stats().Cgroups != 5 {
		t.Errorf("gone %q of %d", gone, e.Stats().Cgroups)
	}
	e.Births(100 * weatherSec)
	if k.walks != 3 {
		t.Errorf("%d walks, want none once all was found", k.walks)
	}
}

// Where nobody can walk a loss says nothing of the cgroups that were heard of.
func TestWhereNobodyWalks(t *testing.T) {
	k := &table{fails: fmt.Errorf("cgroups: %w", event.ErrUnread)}
	e := k.engine(t)
	e.Event(event.Event{Kind: event.CgroupMkdir, Time: weatherSec, Cgroup: 4, Pointer: 4, Path: weatherPod}, weatherSec)
	k.loss.Events = 1
	e.Births(2 * weatherSec)
	for at := 4 * weatherSec; at < 60*weatherSec; at += weatherSec {
		e.Births(at)
	}
	if gone := e.Gone(); len(gone) != 0 || e.Stats().BirthsOpen != 1 || e.Stats().KernelErrors != 0 || k.walks != 2 {
		t.Errorf("%q are taken to be gone; %d births, %d errors, %d walks", gone, e.Stats().BirthsOpen, e.Stats().KernelErrors, k.walks)
	}
}

// A kernel that cannot be walked to its end at the start is walked again.
func TestTheFirstWalkDidNotFindAll(t *testing.T) {
	k := &table{cgroups: map[uint64]string{1: "/", 2: "/hidden"}, fails: event.ErrIncomplete, shows: map[uint64]bool{1: true}}
	e := k.engine(t)
	k.fails = nil
	if e.Births(100 * weatherSec); e.Stats().Cgroups != 2 {
		t.Errorf("%d cgroups", e.Stats().Cgroups)
	}
}

// Nor does what is heard of such a pod once only.
func TestNothingWaitsForEverThatIsHeardOnce(t *testing.T) {
	k := withContainer()
	e := k.engine(t)
	e.Event(open(7, weatherSec), weatherSec)
	e.Sweep(20 * weatherSec)
	if len(k.forgot) != 0 {
		t.Errorf("forgot %v too early", k.forgot)
	}
	if e.Sweep(40 * weatherSec); len(k.forgot) != 1 {
		t.Errorf("forgot %v, want the session", k.forgot)
	}
}

// Nothing waits for ever for a pod of which nobody tells.
func TestNothingWaitsForEver(t *testing.T) {
	k := withContainer()
	e := k.engine(t)
	e.Earlier(nil, weatherSec)
	e.Event(open(7, weatherSec), weatherSec)
	e.Event(open(8, 40*weatherSec), 40*weatherSec)
	if len(k.forgot) != 2 {
		t.Errorf("forgot %v, want both sessions", k.forgot)
	}
}

// What was taken for the birth of a pod that had been there before is given up, with
// its sessions.
func TestARestartOfTheNodeIsNoBirth(t *testing.T) {
	k := &table{cgroups: map[uint64]string{1: "/"}}
	e := k.engine(t)
	e.Earlier(nil, weatherSec)
	e.Event(event.Event{Kind: event.CgroupMkdir, Time: 2 * weatherSec, Cgroup: 4, Path: weatherPod}, 2*weatherSec)
	e.Event(event.Event{
		Kind: event.CgroupMkdir, Time: 2*weatherSec + 1, Cgroup: 5, Path: weatherPod + "/" + strings.Repeat("ab", 32),
	}, 2*weatherSec)
	e.Event(open(9, 3*weatherSec), 3*weatherSec)
	if n := e.Stats().BirthsOpen; n != 1 {
		t.Fatalf("%d births", n)
	}
	p := beingBorn()
	p.Phase, p.FirstStarted = "Running", time.Now().Add(-time.Hour)
	e.Pod(p, 4*weatherSec)
	if n := e.Stats().BirthsOpen; n != 0 || len(k.forgot) != 1 || k.forgot[0] != 9 {
		t.Errorf("%d births, forgot %v", n, k.forgot)
	}
}
