// SPDX-License-Identifier: Apache-2.0

package observer_test

import (
	"log/slog"
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
}

func (k *table) Walk(visit func(id, pointer uint64, path string)) error {
	for id, path := range k.cgroups {
		visit(id, id, path)
	}
	return nil
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
	e.Earlier([]string{weatherUID}, 2*weatherSec)
	e.Pod(beingBorn(), 3*weatherSec)
	if len(k.forgot) != 1 || e.Stats().BirthsOpen != 0 {
		t.Errorf("forgot %v, %d births; want its session forgotten and none", k.forgot, e.Stats().BirthsOpen)
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
