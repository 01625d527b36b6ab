// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
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
}

// begin opens an episode, or takes up the one that an earlier run left open.
func (d *Detector) begin(t *track, s Sample) *episode {
	e := &episode{config: d.config, container: s.Container, lastSeen: s.time(), repeat: d.config.Repeat}
	key := [2]string{s.Container.PodUID, s.Container.Name}
	if old := d.resumable[key]; old != nil {
		delete(d.resumable, key)
		e.name, e.start = old.Name, old.Spec.StartTime.Time
	} else {
		e.start = d.config.Wall(t.firstThrottled())
		e.name = Name(s.Container, e.start)
	}
	e.truth(t, s)
	return e
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

// Name of an episode's whisper: pod and container, cut where they must be, and
// a hash of pod UID, container, reason and start.
func Name(c Container, start time.Time) string {
	const nameMax, hashLen = 253, 8
	sum := sha256.Sum256([]byte(strings.Join([]string{
		c.PodUID, c.Name, string(v1alpha1.ReasonCPUThrottling), strconv.FormatInt(start.UnixMicro(), 10),
	}, "/")))
	name := c.Pod + "-" + c.Name
	if keep := nameMax - 1 - hashLen; len(name) > keep {
		name = name[:keep]
	}
	return strings.TrimRight(name, "-.") + "-" + hex.EncodeToString(sum[:])[:hashLen]
}

// truth takes the counters of the window that ends with the sample.
func (e *episode) truth(t *track, now Sample) {
	first := t.windowStart(e.config.Wall, e.start)
	level := worst(first, now)
	at := difference(first, now, level)
	own := difference(first, now, 0)
	l := now.Levels[level]
	usage := own.millicores(own.usage)
	// The times of a container and of its pod can follow each other or overlap,
	// the counters do not say: the longest is what is certain.
	var held uint64
	for i := range now.Levels {
		held = max(held, difference(first, now, i).throttledTime)
	}
	e.spec.KernelTruth = v1alpha1.KernelTruth{
		WindowMilliseconds:    max(1, int64(at.elapsed/1e6)),
		Periods:               int64(at.periods),
		ThrottledPeriods:      int64(min(at.throttled, at.periods)),
		ThrottledPercent:      fmt.Sprintf("%.1f", at.percent()),
		ThrottledMicroseconds: int64(at.throttledTime / 1000),
		UsageMillicores:       usage,
		DemandMillicores:      usage + own.millicores(held),
		QuotaMicroseconds:     max(1, int64(l.Quota/1000)),
		PeriodMicroseconds:    max(1, int64(l.Period/1000)),
		ThrottledAt:           l.At,
	}
	e.spec.Evidence = evidence(first, now)
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
func worst(first, now Sample) int {
	best, most := 0, delta{}
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

// evidence lists the raw counters of every level that throttled, as a reader of
// cpu.stat would see them.
func evidence(first, now Sample) []v1alpha1.Evidence {
	const levelsMax = 3
	var all []v1alpha1.Evidence
	add := func(source string, before, after uint64) {
		all = append(all, v1alpha1.Evidence{
			Source: source, Before: strconv.FormatUint(before, 10), After: strconv.FormatUint(after, 10),
		})
	}
	levels := 0
	for i, l := range now.Levels {
		if i > 0 && difference(first, now, i).throttled == 0 || levels == levelsMax {
			continue
		}
		levels++
		was := first.Levels[i]
		add("cpu.stat nr_periods of "+pathEnd(l.Path), uint64(was.Periods), uint64(l.Periods))
		add("cpu.stat nr_throttled of "+pathEnd(l.Path), uint64(was.Throttled), uint64(l.Throttled))
		add("throttled time (ns) of "+pathEnd(l.Path), was.ThrottledTime, l.ThrottledTime)
	}
	add("CPU time (ns) of "+pathEnd(now.Levels[0].Path), first.Levels[0].Usage, now.Levels[0].Usage)
	return all
}

// pathEnd bounds a path from its front: its end tells the cgroup.
func pathEnd(p string) string {
	const pathMax = 400
	if len(p) > pathMax {
		return "…" + p[len(p)-pathMax:]
	}
	return p
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
	labels := map[string]string{v1alpha1.LabelPodUID: e.container.PodUID}
	if n := e.config.NodeName; n != "" && len(n) <= 63 {
		labels[v1alpha1.LabelNode] = n
	}
	w := &v1alpha1.KernelWhisper{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KernelWhisper"},
		ObjectMeta: metav1.ObjectMeta{Namespace: e.container.Namespace, Name: e.name, Labels: labels},
		Spec:       *e.spec.DeepCopy(),
	}
	w.Spec.PodRef = v1alpha1.PodReference{Name: e.container.Pod, UID: e.container.PodUID}
	w.Spec.NodeName = e.config.NodeName
	w.Spec.ContainerName = e.container.Name
	w.Spec.Reason = v1alpha1.ReasonCPUThrottling
	w.Spec.StartTime = metav1.NewMicroTime(e.start)
	w.Spec.LastSeenTime = metav1.NewMicroTime(e.config.Wall(e.lastSeen))
	return w
}
