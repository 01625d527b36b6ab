// SPDX-License-Identifier: Apache-2.0

package observer_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
)

const weatherMs = uint64(time.Millisecond)

// shelf keeps certificates.
type shelf struct {
	all []*v1alpha1.PodBirthCertificate
}

func (s *shelf) Certificate(c *v1alpha1.PodBirthCertificate) { s.all = append(s.all, c) }
func (s *shelf) Whisper(*v1alpha1.KernelWhisper)             {}

func (k *table) engineTelling(t *testing.T, s *shelf) *observer.Engine {
	t.Helper()
	began := time.Now()
	e, err := observer.NewEngine(observer.Config{
		Birth: birth.Config{
			NodeName: "node1", Settle: 300 * time.Millisecond, Timeout: 10 * time.Minute, SyscallName: func(int) string { return "getpid" },
			Wall: func(at uint64) time.Time { return began.Add(time.Duration(at)) },
		},
		CPU: cpu.DefaultConfig(),
	}, k, slog.New(slog.DiscardHandler), s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func born() birth.Pod {
	p := beingBorn()
	p.Phase, p.Ready = "Running", true
	p.Containers = []birth.Container{{Name: "app", ID: "a", Running: true, Started: true, Ready: true}}
	return p
}

// passes lets births be looked after as often as they are.
func passes(e *observer.Engine, from, to uint64) {
	for at := from; at <= to; at += 100 * weatherMs {
		e.Births(at)
	}
}

// A pod whose cgroup was made while events were lost, and that was born before it was
// found, has a certificate: it was told before it ran.
func TestABirthThatWasOverWhenItsCgroupWasFound(t *testing.T) {
	job := beingBorn()
	job.Phase = "Succeeded"
	job.Containers = []birth.Container{{Name: "app", ID: "a", Ended: &birth.Ended{}}}
	for name, c := range map[string]struct {
		last birth.Pod
		want v1alpha1.Outcome
	}{"ready": {born(), v1alpha1.OutcomeReady}, "a job that is done": {job, v1alpha1.OutcomeRunning}} {
		k, told := &table{cgroups: map[uint64]string{1: "/"}}, &shelf{}
		e := k.engineTelling(t, told)
		e.Earlier(nil, weatherSec)
		e.Pod(beingBorn(), 2*weatherSec)
		k.cgroups[4], k.loss.Events = weatherPod, 7
		e.Pod(c.last, 2*weatherSec+50*weatherMs)
		passes(e, 2*weatherSec+100*weatherMs, 6*weatherSec)
		if len(told.all) != 1 {
			t.Fatalf("%s: %d certificates", name, len(told.all))
		}
		s := told.all[0].Spec
		if s.Outcome != c.want || s.Complete || !strings.Contains(strings.Join(s.Coverage.Missing, "\n"), "the birth was over when its cgroup was found") {
			t.Errorf("%s: %s, complete %v, missing %q", name, s.Outcome, s.Complete, s.Coverage.Missing)
		}
		if c.want == v1alpha1.OutcomeReady && s.KernelStats.DurationMicroseconds != 50_000 {
			t.Errorf("took %d µs, want those from being told to being Ready", s.KernelStats.DurationMicroseconds)
		}
		// A cgroup that is taken to be gone, and found again, is no second birth.
		delete(k.cgroups, 4)
		k.loss.Events++
		passes(e, 7*weatherSec, 9*weatherSec)
		k.cgroups[5], k.loss.Events = weatherPod, k.loss.Events+1
		passes(e, 10*weatherSec, 15*weatherSec)
		if len(told.all) != 1 || e.Stats().BirthsOpen != 0 {
			t.Errorf("%s: %d certificates, %d births open", name, len(told.all), e.Stats().BirthsOpen)
		}
	}
}

// One that is Ready when it is first told may have been so for long.
func TestAPodThatIsReadyWhenItIsTold(t *testing.T) {
	k, told := &table{cgroups: map[uint64]string{1: "/", 4: weatherPod}}, &shelf{}
	e := k.engineTelling(t, told)
	e.Pod(born(), weatherSec)
	e.Earlier(nil, 2*weatherSec)
	passes(e, 3*weatherSec, 6*weatherSec)
	if len(told.all) != 0 || e.Stats().BirthsOpen != 0 {
		t.Errorf("%d certificates, %d births", len(told.all), e.Stats().BirthsOpen)
	}
}

// While a pod is awaited nobody waits long for the end of a loss.
func TestCgroupsAreWalkedSoonForAPod(t *testing.T) {
	for name, c := range map[string]struct {
		awaited, goesOn bool
		want            uint64
	}{
		"nobody":                     {false, false, 4 * weatherSec},
		"awaited":                    {true, false, 2*weatherSec + 400*weatherMs},
		"awaited, and more and more": {true, true, 3*weatherSec + 100*weatherMs},
		"nobody, and more and more":  {false, true, 10 * weatherSec},
	} {
		k := &table{cgroups: map[uint64]string{1: "/"}}
		e := k.engineTelling(t, &shelf{})
		e.Earlier(nil, weatherSec)
		if c.awaited {
			e.Pod(beingBorn(), weatherSec)
		}
		e.Births(2 * weatherSec)
		k.loss.Events = 1
		walked := uint64(0)
		for at := 2*weatherSec + 100*weatherMs; at < 20*weatherSec && walked == 0; at += 100 * weatherMs {
			if e.Births(at); k.walks > 1 {
				walked = at
			}
			if c.goesOn {
				k.loss.Events++
			}
		}
		if walked < c.want || walked > c.want+100*weatherMs {
			t.Errorf("%s: walked after %d ms, want %d", name, walked/weatherMs, c.want/weatherMs)
		}
	}
}

// A static pod that this run has told of, and whose mirror has gone since, is not told of
// again from the middle, once its cgroup is found.
func TestAStaticPodThatHasACertificateIsFoundAgain(t *testing.T) {
	k, told := &table{cgroups: map[uint64]string{1: "/"}}, &shelf{}
	e := k.engineTelling(t, told)
	e.Earlier(nil, weatherSec)
	blank, ready := beingBorn(), born()
	blank.Mirror, ready.Mirror = true, true
	e.Pod(blank, 2*weatherSec)
	k.cgroups[4], k.loss.Events = weatherPod, 7
	e.Pod(ready, 2*weatherSec+50*weatherMs)
	passes(e, 2*weatherSec+100*weatherMs, 6*weatherSec)
	e.PodGone(weatherUID, 6*weatherSec)
	passes(e, 6*weatherSec+100*weatherMs, 10*weatherSec)
	k.cgroups[5], k.loss.Events = weatherPod, 8
	passes(e, 11*weatherSec, 13*weatherSec)
	e.Pod(blank, 14*weatherSec)
	passes(e, 14*weatherSec, 16*weatherSec)
	if len(told.all) != 1 || e.Stats().BirthsOpen != 0 {
		t.Errorf("%d certificates, %d births open; want the first and none", len(told.all), e.Stats().BirthsOpen)
	}
}
