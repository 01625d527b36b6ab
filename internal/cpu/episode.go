// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// delta is what one level's counters gained between two samples.
type delta struct {
	periods, throttled uint32
	throttledTime      uint64
	usage, elapsed     uint64
}

func difference(a, b Sample, level int) delta {
	x, y := a.Levels[level], b.Levels[level]
	d := delta{
		periods:   y.Periods - x.Periods,
		throttled: y.Throttled - x.Throttled,
		elapsed:   y.Time - x.Time,
	}
	if y.ThrottledTime > x.ThrottledTime {
		d.throttledTime = y.ThrottledTime - x.ThrottledTime
	}
	if y.Usage > x.Usage {
		d.usage = y.Usage - x.Usage
	}
	return d
}

func (d delta) percent() float64 {
	if d.periods == 0 {
		return 0
	}
	return 100 * float64(min(d.throttled, d.periods)) / float64(d.periods)
}

// millicores that an amount of CPU time makes over the elapsed time.
func (d delta) millicores(ns uint64) int64 {
	if d.elapsed == 0 {
		return 0
	}
	return int64(float64(ns)/float64(d.elapsed)*1000 + 0.5)
}

// episode is one stretch of throttling of one container.
type episode struct {
	config    Config
	container Container
	name      string
	start     time.Time
	lastSeen  uint64
	told      uint64
	repeat    time.Duration
	spec      v1alpha1.KernelWhisperSpec
	// counted is the evidence of the counters, heard that of the latest recording.
	counted, heard []v1alpha1.Evidence
	// figures of the latest recording, nil before there is one.
	figures *figures
	// change that is being measured.
	change *change
}

// limitReach is how far a metric may reach back from an episode's beginning: it averages
// over a minute at most, as slow pipelines are set, and is late by as much.
const limitReach = uint64(2 * time.Minute)

// begin opens an episode, or takes up the one that an earlier run left open.
func (d *Detector) begin(t *track, s Sample) *episode {
	e := &episode{config: d.config, container: s.Container, lastSeen: s.time(), repeat: d.config.Repeat}
	if old := d.resumable.take(s.Container); old != nil {
		e.name, e.start = old.Name, old.Spec.StartTime.Time
		e.takeUp(old, s)
	} else {
		first := t.firstThrottled()
		e.start = d.config.Wall(first)
		if at := t.limitSince; at > 0 && span(at, first) < limitReach {
			since := metav1.NewMicroTime(d.config.Wall(at))
			e.spec.LimitSince = &since
		}
		e.name = Name(s.Container, v1alpha1.ReasonCPUThrottling, e.start)
	}
	e.truth(t, s)
	return e
}

// withhold takes that its bursts would be listened to but for a budget, until they
// were heard.
func (e *episode) withhold(withheld func(containerID string) bool) {
	if e.spec.Bursts == nil && withheld(e.container.ID) {
		e.spec.BurstsMissing = v1alpha1.BurstsMissingCPUBudget
	}
}

// takeUp keeps what an earlier run heard, with the figures of its truth that are
// of its bursts.
// A change whose measurement it did not end is measured now, and so is one that
// came while nobody listened.
func (e *episode) takeUp(old *v1alpha1.KernelWhisper, s Sample) {
	e.spec.Bursts, e.spec.Counterfactual, e.spec.Change = old.Spec.Bursts, old.Spec.Counterfactual, old.Spec.Change
	e.spec.BurstsMissing, e.spec.LimitSince = old.Spec.BurstsMissing, old.Spec.LimitSince
	if old.Spec.Bursts != nil {
		e.figures = figuresOf(old.Spec.KernelTruth)
	}
	begin := func(at metav1.MicroTime, from int64) *change {
		return &change{config: e.config, at: at, seen: s.time(), from: from, to: s.limit()}
	}
	c, k := old.Spec.Change, old.Spec.KernelTruth
	switch {
	case c != nil && c.Measured == nil && c.ToMillicores == s.limit():
		e.change = begin(c.Time, c.FromMillicores)
	case k.ThrottledAt == v1alpha1.ThrottledAtContainer && limitOf(k) != s.limit() && (c == nil || c.ToMillicores != s.limit()):
		e.change = begin(metav1.NewMicroTime(e.config.Wall(s.time())), limitOf(k))
		e.spec.Change = e.change.told(nil)
	}
}

// limitOf is the limit that a truth is of, in millicores.
func limitOf(k v1alpha1.KernelTruth) int64 {
	return millicores(uint64(k.QuotaMicroseconds), uint64(k.PeriodMicroseconds))
}

// firstThrottled is the start of the interval in which throttling was first
// seen: the sample before the counters moved.
func (t *track) firstThrottled() uint64 {
	for i := 1; i < len(t.samples); i++ {
		for level := range t.samples[i].Levels {
			if difference(t.samples[i-1], t.samples[i], level).throttled > 0 {
				return t.samples[i-1].time()
			}
		}
	}
	return t.samples[0].time()
}

// truth takes the counters of the window that ends with the sample.
func (e *episode) truth(t *track, now Sample) {
	first := t.windowStart(e.config.Wall, e.start)
	e.spec.KernelTruth = truth(first, now)
	e.figures.write(&e.spec.KernelTruth)
	e.counted = evidence(first, now)
}

// truth is what the counters gained between two samples.
func truth(first, now Sample) v1alpha1.KernelTruth {
	level := worst(first, now)
	at := difference(first, now, level)
	own := difference(first, now, 0)
	usage := own.millicores(own.usage)
	// The times of a container and of its pod can follow each other or overlap,
	// the counters do not say: the longest is what is certain.
	var held uint64
	for i := range now.Levels {
		held = max(held, difference(first, now, i).throttledTime)
	}
	k := v1alpha1.KernelTruth{
		WindowMilliseconds:    max(1, int64(at.elapsed/1e6)),
		Periods:               int64(at.periods),
		ThrottledPeriods:      int64(min(at.throttled, at.periods)),
		ThrottledPercent:      fmt.Sprintf("%.1f", at.percent()),
		ThrottledMicroseconds: int64(at.throttledTime / 1000),
		UsageMillicores:       usage,
		DemandMillicores:      usage + own.millicores(held),
	}
	if l := now.Levels[level]; l.Quota > 0 {
		k.QuotaMicroseconds, k.PeriodMicroseconds = max(1, int64(l.Quota/1000)), max(1, int64(l.Period/1000))
		k.ThrottledAt = l.At
	}
	return k
}

// windowStart is the oldest sample of the window that is not before the episode.
func (t *track) windowStart(wall func(uint64) time.Time, start time.Time) Sample {
	for _, s := range t.samples {
		if !wall(s.time()).Before(start.Add(-time.Millisecond)) {
			return s
		}
	}
	return t.samples[0]
}

// worst is the level with the greatest share of throttled periods; of equals,
// the one that took more time, and of those the one nearest to the container.
// Where none throttled it is the nearest that limits.
func worst(first, now Sample) int {
	best, most := max(0, slices.IndexFunc(now.Levels, func(l Level) bool { return l.Quota > 0 })), delta{}
	for i := range now.Levels {
		d := difference(first, now, i)
		if d.throttled == 0 {
			continue
		}
		if p, q := d.percent(), most.percent(); p > q || p == q && d.throttledTime > most.throttledTime {
			best, most = i, d
		}
	}
	return best
}

// tell writes the whisper as the episode stands.
func (e *episode) tell(s Sample) *v1alpha1.KernelWhisper {
	if e.told != 0 {
		e.repeat = min(2*e.repeat, e.config.RepeatMax)
	}
	e.told = s.time()
	return e.whisper()
}

// end writes the whisper for the last time. Its counters stay those of the last
// window in which the container was throttled.
func (e *episode) end() *v1alpha1.KernelWhisper {
	w := e.whisper()
	last := w.Spec.LastSeenTime
	w.Spec.EndTime = &last
	return w
}

func (e *episode) whisper() *v1alpha1.KernelWhisper {
	w := newWhisper(e.config, e.container, e.name)
	e.spec.DeepCopyInto(&w.Spec)
	w.Spec.Evidence = append(slices.Clone(e.counted), e.heard...)
	w.Spec.Reason = v1alpha1.ReasonCPUThrottling
	stamp(w, e.config, e.container, e.start, e.lastSeen)
	return w
}
