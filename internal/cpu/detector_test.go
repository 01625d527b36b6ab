// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newTestDetector() *Detector {
	c := DefaultConfig()
	c.NodeName = "node1"
	c.Wall = func(t uint64) time.Time { return began.Add(time.Duration(t)) }
	return NewDetector(c)
}

// container is a container's counters, advanced second by second.
type container struct {
	now         uint64
	own, pod    event.Group
	incarnation uint64
}

func newContainer() *container {
	limit := event.Group{Quota: 10e6, Period: 100e6}
	return &container{now: uint64(time.Second), own: limit, pod: limit}
}

// second passes a second in which the groups had active and throttled periods.
func (c *container) second(own, ownThrottled, pod, podThrottled uint32, usage uint64) Sample {
	c.now += uint64(time.Second)
	add := func(g *event.Group, id uint64, periods, throttled uint32) Level {
		g.Cgroup, g.Time = id+c.incarnation, c.now
		g.Periods += periods
		g.Throttled += throttled
		g.ThrottledTime += uint64(throttled) * 90e6
		g.Usage += usage
		return Level{Path: "/pod/x", Group: *g}
	}
	o, p := add(&c.own, 1, own, ownThrottled), add(&c.pod, 2, pod, podThrottled)
	o.At, p.At = v1alpha1.ThrottledAtContainer, v1alpha1.ThrottledAtPod
	return Sample{Container: Container{"ns", "pod", "uid", "app", "id"}, Levels: []Level{o, p}}
}

func (c *container) quiet() Sample { return c.second(0, 0, 0, 0, 0) }
func (c *container) held() Sample  { return c.second(10, 10, 10, 0, 100e6) }

// run takes samples and returns the whispers.
func run(d *Detector, n int, next func() Sample) []*v1alpha1.KernelWhisper {
	var told []*v1alpha1.KernelWhisper
	for range n {
		told = append(told, d.Take(next())...)
	}
	return told
}

func TestEpisode(t *testing.T) {
	d, c := newTestDetector(), newContainer()
	if told := run(d, 20, c.quiet); len(told) != 0 {
		t.Fatalf("whispers of a quiet container: %v", told)
	}
	start := c.now
	told := run(d, 60, c.held)
	if len(told) != 3 {
		t.Fatalf("%d whispers in 60 s, want the first, and repeats after 15 and 30 s", len(told))
	}
	w := told[0]
	if !w.Spec.StartTime.Equal(ptrTo(d.config.Wall(start))) {
		t.Errorf("starts %s, want the sample before the counters moved", w.Spec.StartTime)
	}
	if k := told[2].Spec.KernelTruth; k.Periods != 150 || k.ThrottledPercent != "100.0" || k.WindowMilliseconds != 15000 ||
		k.UsageMillicores != 100 || k.DemandMillicores != 1000 || k.ThrottledAt != v1alpha1.ThrottledAtContainer {
		t.Errorf("kernel truth: %+v", k)
	}
	lastHeld := c.now
	ended := run(d, 30, c.quiet)
	if len(ended) != 1 || ended[0].Name != w.Name {
		t.Fatalf("ended: %v", ended)
	}
	end := ended[0].Spec
	if end.EndTime == nil || !end.EndTime.Equal(ptrTo(d.config.Wall(lastHeld))) {
		t.Errorf("ends %v, want when it was last seen", end.EndTime)
	}
	if end.KernelTruth.ThrottledPercent != "100.0" {
		t.Errorf("the end took in the quiet: %+v", end.KernelTruth)
	}
	if d.Open() != 0 {
		t.Error("the episode is still open")
	}
}

func TestWhatIsNoEpisode(t *testing.T) {
	for name, next := range map[string]func(*container, int) Sample{
		"an idle agent, throttled once in five seconds": func(c *container, i int) Sample {
			if i%5 == 0 {
				return c.second(1, 1, 1, 1, 20e6)
			}
			return c.quiet()
		},
		"a busy one that is hardly held": func(c *container, _ int) Sample {
			return c.second(100, 5, 100, 0, 900e6)
		},
		"busy and never held": func(c *container, _ int) Sample {
			return c.second(10, 0, 10, 0, 999e6)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, c, i := newTestDetector(), newContainer(), 0
			told := run(d, 60, func() Sample { i++; return next(c, i) })
			if len(told) != 0 {
				t.Errorf("a whisper: %+v", told[0].Spec.KernelTruth)
			}
		})
	}
}

func TestTheLevelWithTheGreaterShareIsNamed(t *testing.T) {
	d, c := newTestDetector(), newContainer()
	told := run(d, 3, func() Sample { return c.second(10, 7, 10, 10, 100e6) })
	if len(told) != 1 || told[0].Spec.KernelTruth.ThrottledAt != v1alpha1.ThrottledAtPod {
		t.Fatalf("%v", told)
	}
	if n := len(told[0].Spec.Evidence); n != 7 {
		t.Errorf("%d pieces of evidence, want three for each level and the usage", n)
	}
}

func TestAContainerMadeAnewBeginsAfresh(t *testing.T) {
	d, c := newTestDetector(), newContainer()
	// The same container id with smaller counters: never a delta of 2^32.
	c.own.Throttled, c.own.Periods = 1000, 1000
	run(d, 5, c.quiet)
	c.incarnation = 100
	c.own, c.pod = event.Group{Quota: 10e6, Period: 100e6}, event.Group{Quota: 10e6, Period: 100e6}
	if told := run(d, 5, c.quiet); len(told) != 0 {
		t.Errorf("a whisper out of counters that ran backwards: %+v", told[0].Spec)
	}
}

func TestAContainerThatGoesEndsItsEpisode(t *testing.T) {
	d, c := newTestDetector(), newContainer()
	told := run(d, 3, c.held)
	w, ok := d.Gone("id")
	if !ok || w.Name != told[0].Name || w.Spec.EndTime == nil {
		t.Errorf("%v %v", ok, w)
	}
	if _, again := d.Gone("id"); again {
		t.Error("it went twice")
	}
}

func TestAnEpisodeGoesOnAfterARestart(t *testing.T) {
	first, c := newTestDetector(), newContainer()
	before := run(first, 3, c.held)[0]
	second := newTestDetector()
	second.Resume(before.DeepCopy())
	after := run(second, 3, c.held)
	if len(after) != 1 || after[0].Name != before.Name || !after[0].Spec.StartTime.Equal(&before.Spec.StartTime) {
		t.Fatalf("%v", after)
	}
	if left := second.Abandoned(); len(left) != 0 {
		t.Errorf("abandoned though it goes on: %v", left)
	}
}

func TestAnEpisodeThatEndedDuringARestart(t *testing.T) {
	first, c := newTestDetector(), newContainer()
	before := run(first, 3, c.held)[0]
	second := newTestDetector()
	second.Resume(before.DeepCopy())
	run(second, 5, c.quiet)
	left := second.Abandoned()
	if len(left) != 1 || left[0].Name != before.Name || left[0].Spec.EndTime == nil ||
		!left[0].Spec.EndTime.Equal(&before.Spec.LastSeenTime) {
		t.Errorf("%v", left)
	}
}

func TestNamesFitKubernetes(t *testing.T) {
	long := Container{Pod: strings.Repeat("p", 253), Name: strings.Repeat("c", 63), PodUID: "uid"}
	if n := Name(long, v1alpha1.ReasonCPUThrottling, began); len(n) > 253 {
		t.Errorf("%d characters", len(n))
	}
	a := Container{Pod: "web", Name: "app", PodUID: "1"}
	b := a
	b.PodUID = "2"
	if Name(a, v1alpha1.ReasonCPUThrottling, began) == Name(b, v1alpha1.ReasonCPUThrottling, began) {
		t.Error("two pods share a name")
	}
}

func ptrTo(t time.Time) *metav1.MicroTime {
	m := metav1.NewMicroTime(t)
	return &m
}

func TestALongEpisodeIsToldEverMoreRarely(t *testing.T) {
	d, c := newTestDetector(), newContainer()
	if told := run(d, 3600, c.held); len(told) < 15 || len(told) > 20 {
		t.Errorf("%d writes in an hour of throttling", len(told))
	}
}

// A container and its pod stop a busy loop one after the other or at the same
// time: their times must not be added.
func TestTheTimesOfNestedLevelsDoNotAddUp(t *testing.T) {
	d, c := newTestDetector(), newContainer()
	told := run(d, 3, func() Sample { return c.second(10, 1, 10, 9, 100e6) })
	if len(told) != 1 {
		t.Fatalf("%v", told)
	}
	if k := told[0].Spec.KernelTruth; k.DemandMillicores != 910 || k.ThrottledAt != v1alpha1.ThrottledAtPod || k.ThrottledMicroseconds != 810_000 {
		t.Errorf("%+v", k)
	}
}

func TestOfEqualSharesTheLongerStopIsNamed(t *testing.T) {
	d, c := newTestDetector(), newContainer()
	told := run(d, 3, func() Sample {
		s := c.second(10, 10, 10, 10, 100e6)
		c.own.ThrottledTime -= 800e6 // the container's stops were short
		s.Levels[0].ThrottledTime = c.own.ThrottledTime
		return s
	})
	if len(told) != 1 || told[0].Spec.KernelTruth.ThrottledAt != v1alpha1.ThrottledAtPod {
		t.Fatalf("%v", told)
	}
}

// The sampler reads once a second, at a phase of its own.
func TestFromTheOnsetToTheWhisper(t *testing.T) {
	for throttled, want := range map[uint32]int{10: 1, 5: 1, 3: 2, 2: 3, 1: 5} {
		d, c := newTestDetector(), newContainer()
		run(d, 10, c.quiet)
		told := 0
		for i := 1; i < 20 && told == 0; i++ {
			if len(run(d, 1, func() Sample { return c.second(10, throttled, 10, 0, 100e6) })) > 0 {
				told = i
			}
		}
		if told != want {
			t.Errorf("%d of 10 periods throttled: told with sample %d, want %d", throttled, told, want)
		}
	}
}
