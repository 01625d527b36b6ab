// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/counterfactual"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// limit sets other quotas, in millicores.
func (c *container) limit(own, pod uint64) {
	c.own.Quota, c.pod.Quota = own*100_000, pod*100_000
}

func newTestWatch() *Watch {
	c := DefaultConfig()
	c.NodeName = "node1"
	c.Wall = func(t uint64) time.Time { return began.Add(time.Duration(t)) }
	return NewWatch(c)
}

// node is a watch with one container, whose lean-ins are answered with what was
// recorded.
type node struct {
	watch    *Watch
	told     []*v1alpha1.KernelWhisper
	leanIns  []LeanIn
	answerAt uint64
	record   func(l LeanIn, from, to uint64) Heard
}

func (n *node) run(seconds int, next func() Sample) []*v1alpha1.KernelWhisper {
	before := len(n.told)
	for range seconds {
		s := next()
		if n.answerAt != 0 && s.time() >= n.answerAt {
			l := n.leanIns[len(n.leanIns)-1]
			h := n.record(l, n.answerAt-uint64(l.For), n.answerAt)
			n.answerAt = 0
			n.told = append(n.told, n.watch.Heard(h, s.time())...)
		}
		n.told = append(n.told, n.watch.Take(s)...)
		for _, l := range n.watch.LeanIns(s.time()) {
			n.leanIns, n.answerAt = append(n.leanIns, l), s.time()+uint64(l.For)
		}
	}
	return n.told[before:]
}

// heardAt is a recording with one request that stalled for so many milliseconds.
func (c *container) heardAt(stall uint64) func(LeanIn, uint64, uint64) Heard {
	return func(l LeanIn, from, to uint64) Heard {
		b := burst(1, 0, stall+2, event.WakerInterrupt, 0, stall, 0)
		b.Woken, b.Ended = b.Woken+from, b.Ended+from
		groups := []event.Group{c.own, c.pod}
		return Heard{ContainerID: l.ContainerID, Why: l.Why, Recording: event.Recording{
			Cgroup: 1, From: from, To: to, Before: groups, After: groups, CPUs: 2,
			Bursts: []event.Burst{b}, Switches: 1, Threads: 1, RunnableMax: 1,
		}, Replayed: &counterfactual.Result{Curve: []counterfactual.Prediction{{Quota: 20e6, Throttled: 0.1, Low: 0.05, High: 0.2}}}}
	}
}

func TestAWhisperIsToldAtOnceAndAgainWithItsBursts(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	n.run(5, c.quiet)
	onset := c.now
	told := n.run(14, c.held)
	if len(told) != 2 {
		t.Fatalf("%d whispers", len(told))
	}
	if told[0].Spec.Bursts != nil || told[0].Spec.KernelTruth.StallP99Microseconds != nil {
		t.Error("bursts before anybody listened")
	}
	w := told[1]
	if w.Name != told[0].Name || w.Spec.Bursts == nil || w.Spec.Counterfactual == nil {
		t.Fatalf("%+v", w.Spec)
	}
	if p := w.Spec.Counterfactual.Curve[0]; p.LimitMillicores != 200 || p.ThrottledPercent != "10.0" || p.ThrottledPercentHigh != "20.0" {
		t.Errorf("%+v", p)
	}
	if k := w.Spec.KernelTruth; *k.StallP99Microseconds != 80_000 || k.ThrottledPercent != "100.0" || k.ThreadTimeLostPercent != "97.6" {
		t.Errorf("%+v", k)
	}
	if opened := n.leanIns[0]; opened.For != 10*time.Second || opened.Why != WhyThrottled {
		t.Errorf("%+v", opened)
	}
	if told[0].Spec.LastSeenTime.Sub(began.Add(time.Duration(onset))) > 3*time.Second {
		t.Errorf("told at %s, throttled from %d", told[0].Spec.LastSeenTime, onset)
	}
	// Later counters keep the figures of the bursts.
	later := n.run(20, c.held)
	if len(later) == 0 || later[0].Spec.Bursts == nil || later[0].Spec.KernelTruth.StallP99Microseconds == nil {
		t.Errorf("the bursts are gone: %+v", later)
	}
}

func TestAChangeIsMeasuredThoughItIsQuiet(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	n.run(20, c.held)
	c.limit(500, 500)
	n.record = c.heardAt(3)
	steady := func() Sample { return c.second(10, 0, 10, 0, 300e6) }
	told := n.run(40, steady)
	if len(told) < 3 {
		t.Fatalf("%d whispers", len(told))
	}
	first := told[0].Spec.Change
	if first == nil || first.FromMillicores != 100 || first.ToMillicores != 500 || first.Measured != nil {
		t.Fatalf("%+v", first)
	}
	var measured *v1alpha1.KernelWhisper
	for _, w := range told {
		if w.Spec.Change != nil && w.Spec.Change.Measured != nil && measured == nil {
			measured = w
		}
	}
	if measured == nil || measured.Spec.EndTime != nil {
		t.Fatalf("not measured while open: %v", measured)
	}
	m := measured.Spec.Change.Measured
	if m.ThrottledPercent != "0.0" || m.Periods != 200 || m.UsageMillicores != 300 || m.QuotaMicroseconds != 50_000 {
		t.Errorf("%+v", m)
	}
	if m.StallP99Microseconds == nil || *m.StallP99Microseconds != 3_000 {
		t.Errorf("stalls of the change: %+v", m.StallP99Microseconds)
	}
	// The curve from before the change is what the prediction is read off.
	if measured.Spec.Counterfactual == nil || *measured.Spec.KernelTruth.StallP99Microseconds != 80_000 {
		t.Errorf("the bursts before the change are gone: %+v", measured.Spec.KernelTruth)
	}
	last := told[len(told)-1]
	if last.Spec.EndTime == nil || last.Spec.Change.Measured == nil {
		t.Errorf("did not end: %+v", last.Spec)
	}
	// What was measured and has ended is not written again.
	c.limit(600, 600)
	if again := n.run(60, steady); len(again) != 0 {
		t.Errorf("written again: %+v", again[0].Spec.Change)
	}
}

func TestAChangeAfterTheEnd(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	n.run(20, c.held)
	over := n.run(30, c.quiet)
	ended := over[len(over)-1]
	if ended.Spec.EndTime == nil {
		t.Fatal("did not end")
	}
	c.limit(500, 500)
	told := n.run(40, func() Sample { return c.second(20, 1, 20, 0, 300e6) })
	if len(told) != 2 || told[0].Name != ended.Name || told[1].Name != ended.Name {
		t.Fatalf("%d whispers", len(told))
	}
	if m := told[1].Spec.Change.Measured; m == nil || m.ThrottledPercent != "5.0" || m.StallP99Microseconds == nil {
		t.Errorf("%+v", m)
	}
	for _, w := range told {
		w.Spec.Change = ended.Spec.Change
		if got, want := asJSON(t, w), asJSON(t, ended); got != want {
			t.Errorf("more than the change differs:\n%s\n%s", got, want)
		}
	}
}

// A service that nobody asks after its limit was raised shows what that does once
// somebody asks again.
func TestAChangeIsNotMeasuredWhileNothingRuns(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	n.run(20, c.held)
	c.limit(500, 500)
	idle := n.run(120, func() Sample { return c.second(0, 0, 0, 0, 0) })
	for _, w := range idle {
		if w.Spec.Change == nil || w.Spec.Change.Measured != nil {
			t.Fatalf("measured where nothing ran: %+v", w.Spec.Change)
		}
	}
	told := n.run(5, func() Sample { return c.second(10, 3, 10, 0, 300e6) })
	if len(told) == 0 || told[0].Spec.Change.Measured == nil || told[0].Spec.Change.Measured.Periods == 0 {
		t.Errorf("not measured: %+v", told)
	}
}

func TestAnHourAfterTheEndNothingIsWritten(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	n.run(20, c.held)
	n.run(3700, c.quiet)
	c.limit(500, 500)
	if told := n.run(60, c.quiet); len(told) != 0 {
		t.Errorf("%+v", told[0].Spec.Change)
	}
}

func TestALimitThatIsRemoved(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	n.run(20, c.held)
	unlimited := func() Sample {
		c.limit(0, 0)
		s := c.second(0, 0, 0, 0, 900e6)
		return Sample{Container: s.Container, Levels: s.Levels[:1]}
	}
	told := n.run(45, unlimited)
	last := told[len(told)-1]
	if last.Spec.EndTime == nil || last.Spec.Change == nil || last.Spec.Change.ToMillicores != 0 || last.Spec.Change.Measured == nil {
		t.Fatalf("%+v", last.Spec)
	}
	if m := last.Spec.Change.Measured; m.UsageMillicores != 900 || m.QuotaMicroseconds != 0 || m.ThrottledAt != "" || m.ThrottledPercent != "0.0" {
		t.Errorf("%+v", m)
	}
}

// The runtime writes a container's limit after it has made its cgroup.
func TestTheFirstLimitIsNoChange(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	c.limit(0, 0)
	n.run(2, c.quiet)
	c.limit(100, 100)
	for _, w := range n.run(40, c.held) {
		if w.Spec.Change != nil {
			t.Fatalf("%+v", w.Spec.Change)
		}
	}
}

// A metric averages over a time that may reach back from an episode's beginning: a limit
// that was changed shortly before is told, by when.
func TestAnEpisodeThatAChangedLimitBegins(t *testing.T) {
	for name, c := range map[string]struct {
		quiet int // seconds from the change to the throttling
		from  uint64
		told  bool
	}{
		"lowered, and throttled at once": {0, 500, true},
		"throttled a minute later":       {60, 500, true},
		"throttled long after":           {130, 500, false},
		"never changed":                  {0, 100, false},
		"not written at the first look":  {0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			box := newContainer()
			n := &node{watch: newTestWatch(), record: box.heardAt(80)}
			box.limit(c.from, 100)
			n.run(20, box.quiet)
			box.limit(100, 100)
			changed := began.Add(time.Duration(box.now)).Add(time.Second)
			n.run(c.quiet, box.quiet)
			told := n.run(30, box.held)
			for _, w := range told {
				if since := w.Spec.LimitSince; (since != nil) != c.told || c.told && !since.Time.Equal(changed) || w.Spec.Change != nil {
					t.Fatalf("since %v, want %v (%t); change %v", since, changed, c.told, w.Spec.Change)
				}
			}
			again := &node{watch: newTestWatch(), record: box.heardAt(80)}
			again.watch.Resume(told[len(told)-1].DeepCopy())
			if since := again.run(20, box.held)[0].Spec.LimitSince; (since != nil) != c.told {
				t.Errorf("taken up again: since %v", since)
			}
		})
	}
}

func TestAChangeWhileNobodyListened(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch(), record: c.heardAt(80)}
	before := n.run(20, c.held)
	left := before[len(before)-1]
	c.limit(200, 200)
	again := &node{watch: newTestWatch(), record: c.heardAt(40)}
	again.watch.Resume(left.DeepCopy())
	told := again.run(60, c.held)
	if told[0].Name != left.Name || told[0].Spec.Bursts == nil || told[0].Spec.Change == nil || told[0].Spec.Change.FromMillicores != 100 {
		t.Fatalf("%+v", told[0].Spec)
	}
	if m := told[len(told)-1].Spec.Change.Measured; m == nil || *m.StallP99Microseconds != 40_000 {
		t.Errorf("%+v", m)
	}
	// Unfinished, a measurement begins anew.
	third := &node{watch: newTestWatch(), record: c.heardAt(40)}
	third.watch.Resume(told[0].DeepCopy())
	last := third.run(60, c.held)
	if ch := last[len(last)-1].Spec.Change; ch == nil || ch.Measured == nil || !ch.Time.Equal(&told[0].Spec.Change.Time) {
		t.Errorf("%+v", ch)
	}
}

func TestALoweredLimitIsMeasuredWithoutAnEar(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch()}
	n.watch.Deaf()
	n.run(20, c.held)
	c.limit(50, 50)
	told := n.run(30, c.held)
	var measured *v1alpha1.ResourceChange
	for _, w := range told {
		if w.Spec.Change.Measured != nil {
			measured = w.Spec.Change
		}
	}
	if measured == nil || measured.ToMillicores != 50 || measured.Measured.ThrottledPercent != "100.0" || measured.Measured.StallP99Microseconds != nil {
		t.Errorf("%+v", measured)
	}
}

// A recording across a change is of neither limit.
func TestASpoiledRecordingSaysNothing(t *testing.T) {
	c := newContainer()
	n := &node{watch: newTestWatch()}
	n.record = func(l LeanIn, from, to uint64) Heard {
		h := c.heardAt(80)(l, from, to)
		h.Recording.Before = []event.Group{{Cgroup: 1, Quota: 10e6, Period: 100e6}, {Cgroup: 2, Quota: 10e6, Period: 100e6}}
		return h
	}
	n.run(6, c.held)
	c.limit(300, 300)
	n.run(9, c.held)
	if s := n.watch.Stats(); s.Spoiled != 1 || n.told[len(n.told)-1].Spec.Bursts != nil {
		t.Errorf("%+v", s)
	}
}

func TestEndedEpisodesAreBounded(t *testing.T) {
	w := newTestWatch()
	for i := range 300 {
		c := newContainer()
		c.now += uint64(i) * second
		id := fmt.Sprint(i)
		of := func(s Sample) Sample { s.Container.ID = id; return s }
		for range 5 {
			w.Take(of(c.held()))
		}
		for range 15 {
			w.Take(of(c.quiet()))
		}
	}
	n := 0
	for _, t := range w.throttling.tracks {
		if t.ended != nil {
			n++
		}
	}
	if n != DefaultConfig().EndedMax {
		t.Errorf("%d ended episodes are kept", n)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// The longest names, every field and a full curve.
func TestAWhisperFitsEightKibibytes(t *testing.T) {
	config := DefaultConfig()
	config.NodeName = strings.Repeat("n", 253)
	config.Wall = func(t uint64) time.Time { return began.Add(time.Duration(t)) }
	config.Neighbor = func(cgroup uint64) v1alpha1.Preemptor {
		return v1alpha1.Preemptor{Namespace: strings.Repeat("s", 63), Pod: strings.Repeat("p", 252) + fmt.Sprint(cgroup%10)}
	}
	config.Request = func(Container, event.Group) int64 { return 1 << 40 }
	w := NewWatch(config)
	c := newContainer()
	c.own.Shares = 262144
	long := func() Sample {
		s := c.second(10, 10, 10, 10, 100e6)
		s.Container = Container{strings.Repeat("s", 63), strings.Repeat("p", 253), strings.Repeat("u", 64), strings.Repeat("c", 63), "id"}
		for i := range s.Levels {
			s.Levels[i].Path = "/" + strings.Repeat("x", 3000)
		}
		third := s.Levels[1]
		third.At, third.Cgroup = v1alpha1.ThrottledAtAncestor, 3
		s.Levels = append(s.Levels, third)
		return s
	}
	n := &node{watch: w, record: func(l LeanIn, from, to uint64) Heard {
		h := c.heardAt(80)(l, from, to)
		third := c.pod
		third.Cgroup = 3
		h.Recording.Before = append(h.Recording.Before, third)
		h.Recording.After = h.Recording.Before
		h.Before, h.After = Node{Time: 1, Steal: 1}, Node{Time: 2, Steal: 1 << 50}
		for i := range uint64(4) {
			b := h.Recording.Bursts[0]
			b.Preemptor, b.PreemptorTime = 100+i, 1<<40
			h.Recording.Bursts = append(h.Recording.Bursts, b)
		}
		h.Replayed = &counterfactual.Result{LowerBound: true, BurstKnown: true, Burst: time.Hour}
		for range curveMax {
			h.Replayed.Curve = append(h.Replayed.Curve, counterfactual.Prediction{
				Quota: 1 << 40, Throttled: 1, Low: 1, High: 1, StallP99: time.Hour, StallP99High: time.Hour, Usage: 100,
			})
		}
		return h
	}}
	n.run(20, long)
	c.limit(500, 500)
	n.run(60, long)
	most := 0
	for _, w := range n.told {
		most = max(most, len(asJSON(t, w)))
	}
	last := n.told[len(n.told)-1].Spec
	if last.Change == nil || last.Change.Measured == nil || len(last.Bursts.Preemptors) != 3 || len(last.Counterfactual.Curve) != curveMax || len(last.Evidence) < 6 {
		t.Errorf("not the longest: %+v", last)
	}
	if most > 8*1024 {
		t.Errorf("%d bytes", most)
	}
	t.Logf("%d bytes at most", most)
}
