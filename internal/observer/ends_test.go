// SPDX-License-Identifier: Apache-2.0

package observer_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// line is one of a recording.
type line struct {
	at    uint64
	event bool
	raw   map[string]json.RawMessage
}

func lines(t *testing.T, file string) []line {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	in, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []line
	for d := json.NewDecoder(in); d.More(); {
		var l line
		if err := d.Decode(&l.raw); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(l.raw["at"], &l.at); err != nil {
			t.Fatal(err)
		}
		_, l.event = l.raw["event"]
		all = append(all, l)
	}
	return all
}

// starved is the recording as an observer has it that reads events by so much later
// than they came, and, if it says so, how far it is.
func starved(t *testing.T, file string, by time.Duration, says bool) *found {
	t.Helper()
	const every = uint64(100 * time.Millisecond)
	all := lines(t, file)
	if says {
		last := all[len(all)-1].at + uint64(5*time.Second)
		for at := all[0].at + every; at < last; at += every {
			raw, err := json.Marshal(map[string]any{"kind": "UpTo", "time": at})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, line{at: at, event: true, raw: map[string]json.RawMessage{"event": raw}})
		}
	}
	for i := range all {
		if all[i].event {
			all[i].at += uint64(by)
		}
		at, err := json.Marshal(all[i].at)
		if err != nil {
			t.Fatal(err)
		}
		all[i].raw["at"] = at
	}
	slices.SortStableFunc(all, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for _, l := range all {
		if err := encoder.Encode(l.raw); err != nil {
			t.Fatal(err)
		}
	}
	return playFrom(t, &out, cpu.DefaultConfig().LeanIn)
}

func listens(c *v1alpha1.PodBirthCertificate) bool {
	return c != nil && slices.ContainsFunc(c.Spec.Milestones.Containers, func(m v1alpha1.ContainerMilestones) bool {
		return m.FirstListen != nil
	})
}

// A birth does not end before what happened by then has been read, however late that is:
// a certificate that says that it is complete lacks nothing.
func TestAStarvedObserverWaitsForTheEnd(t *testing.T) {
	inTime := play(t, fiveBirths).certificates["server"]
	if !listens(inTime) || !inTime.Spec.Complete {
		t.Fatal("the recording has no complete birth of something that listens")
	}
	for _, by := range []time.Duration{800 * time.Millisecond, 5 * time.Second} {
		c := starved(t, fiveBirths, by, true).certificates["server"]
		if !listens(c) || !c.Spec.Complete || c.Spec.Coverage.Events.Attributed != inTime.Spec.Coverage.Events.Attributed {
			t.Errorf("read %s late: %+v", by, c)
		}
	}
	// That is what makes the difference.
	if listens(starved(t, fiveBirths, 5*time.Second, false).certificates["server"]) {
		t.Error("a birth waits for its end although nobody says how far the reader is")
	}
}

// Nobody waits for ever: what was not read is missing, and the certificate says so.
func TestAnObserverThatIsFarBehind(t *testing.T) {
	c := starved(t, fiveBirths, time.Minute, true).certificates["server"]
	if c == nil {
		t.Fatal("no certificate")
	}
	if c.Spec.Complete || !strings.Contains(strings.Join(c.Spec.Coverage.Missing, "\n"), "too little CPU") {
		t.Errorf("complete %t, missing %v", c.Spec.Complete, c.Spec.Coverage.Missing)
	}
}

// A birth that had come to rest and went on comes to rest anew: what was read by the
// first time says nothing of the second.
func TestABirthThatGoesOnEndsAnew(t *testing.T) {
	k, s := &table{cgroups: map[uint64]string{1: "/"}}, &shelf{}
	e := k.engineTelling(t, s)
	e.Earlier(nil, weatherSec)
	e.Pod(beingBorn(), weatherSec)
	e.Event(event.Event{Kind: event.CgroupMkdir, Time: 2 * weatherSec, Cgroup: 4, Path: weatherPod}, 2*weatherSec)
	upTo := func(at uint64) { e.Event(event.Event{Kind: event.UpTo, Time: at}, at) }
	upTo(2 * weatherSec)
	e.Pod(born(), 3*weatherSec)
	passes(e, 3*weatherSec, 4*weatherSec) // it rests, and its end has not been read
	fallen := born()
	fallen.Ready, fallen.Containers[0].Ready = false, false
	e.Pod(fallen, 4*weatherSec)
	passes(e, 4*weatherSec, 20*weatherSec)
	upTo(20 * weatherSec)
	e.Pod(born(), 40*weatherSec)
	passes(e, 40*weatherSec, 45*weatherSec)
	if len(s.all) != 0 {
		t.Fatalf("told before its end has been read: complete %t", s.all[0].Spec.Complete)
	}
	upTo(46 * weatherSec)
	e.Births(46 * weatherSec)
	if n := len(s.all); n != 1 {
		t.Errorf("%d certificates after all was read", n)
	}
}
