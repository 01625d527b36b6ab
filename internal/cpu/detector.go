// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"slices"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Level is one cgroup whose quota can stop a container.
type Level struct {
	At   v1alpha1.ThrottleLevel
	Path string
	event.Group
}

// Sample is a container's bandwidth at one moment: its own cgroup first, then
// its pod's and those above that have a limit.
type Sample struct {
	Container Container
	Levels    []Level
}

// Container is whose the sample is.
type Container struct {
	Namespace, Pod, PodUID, Name, ID string
}

func (s Sample) time() uint64 { return s.Levels[0].Time }

// limited is true if anything limits the container.
func (s Sample) limited() bool {
	return slices.ContainsFunc(s.Levels, func(l Level) bool { return l.Quota > 0 })
}

// limit of the container itself, in millicores; 0 is none.
func (s Sample) limit() int64 { return millicores(s.Levels[0].Quota, s.Levels[0].Period) }

// track is what is kept of one container.
type track struct {
	samples []Sample
	episode *episode
	// ended is the latest episode, while a change may still be written into it.
	ended *ended
	// limit of the latest sample, in millicores; known once there was one.
	limit int64
	known bool
	// limitSince is when another limit was last seen to become this one, 0 for never.
	limitSince uint64
}

// Detector holds the recent samples and the open episodes of a node. It is not
// safe for concurrent use.
type Detector struct {
	config    Config
	tracks    map[string]*track
	resumable resumables
	// underWay tells whether a container is leaned in on, waiting whether that is
	// so or will be, withheld whether it would be but for a budget.
	underWay, waiting, withheld func(containerID string) bool
}

// NewDetector makes a detector that knows of no container.
func NewDetector(c Config) *Detector {
	return &Detector{
		config: c, tracks: map[string]*track{}, resumable: resumables{},
		underWay: nobody, waiting: nobody, withheld: nobody,
	}
}

func nobody(string) bool { return false }

// Resume hands over an episode that an earlier run of the observer left open:
// it goes on if the container is still throttled, and ends where it was last
// seen if not.
func (d *Detector) Resume(w *v1alpha1.KernelWhisper) { d.resumable.add(w) }

// Open is how many episodes are going on.
func (d *Detector) Open() int {
	n := 0
	for _, t := range d.tracks {
		if t.episode != nil {
			n++
		}
	}
	return n
}

// Take takes a sample and returns the whispers to be written, if there are any.
// Of a container that nothing limits (any more) only what is left to tell is kept.
func (d *Detector) Take(s Sample) []*v1alpha1.KernelWhisper {
	t := d.tracks[s.Container.ID]
	if t == nil {
		if !s.limited() {
			return nil
		}
		t = &track{}
		d.tracks[s.Container.ID] = t
	}
	if !s.limited() && t.episode == nil && t.ended == nil {
		delete(d.tracks, s.Container.ID)
		return nil
	}
	told := d.changes(t, s)
	t.add(s, d.config.Window)
	switch {
	case t.episode != nil:
		t.episode.withhold(d.withheld)
		told = append(told, d.goOn(t, s)...)
	case d.opens(t):
		t.episode = d.begin(t, s)
		t.episode.withhold(d.withheld)
		told = append(told, t.episode.tell(s))
	}
	return told
}

// goOn continues an episode with a new sample, or ends it.
func (d *Detector) goOn(t *track, s Sample) []*v1alpha1.KernelWhisper {
	e := t.episode
	e.container = s.Container
	if t.throttledSince(t.samples[max(0, len(t.samples)-2)]) {
		e.lastSeen = s.time()
		e.truth(t, s)
	}
	switch {
	case s.time()-e.lastSeen >= uint64(d.config.Quiet) && e.change == nil && !d.underWay(s.Container.ID):
		return []*v1alpha1.KernelWhisper{d.finish(t, s.time())}
	case s.time()-e.told >= uint64(e.repeat) && e.lastSeen > e.told:
		return []*v1alpha1.KernelWhisper{e.tell(s)}
	}
	return nil
}

// Gone takes that a container no longer exists, and returns its last whisper if
// an episode was going on.
func (d *Detector) Gone(containerID string) (*v1alpha1.KernelWhisper, bool) {
	t := d.tracks[containerID]
	if t == nil {
		return nil, false
	}
	delete(d.tracks, containerID)
	if t.episode == nil {
		return nil, false
	}
	return t.episode.end(), true
}

// Interest is what a recording of the container is wanted for, if it is.
func (d *Detector) Interest(containerID string) (Interest, bool) {
	t := d.tracks[containerID]
	if t == nil {
		return Interest{}, false
	}
	in := Interest{For: d.config.LeanIn, Situation: t.situation()}
	if c := t.change(); c != nil {
		in.Why, in.Occasion = WhyChanged, c.seen
		return in, c.wantsRecording()
	}
	if t.episode == nil {
		return Interest{}, false
	}
	in.Why, in.Occasion = WhyThrottled, uint64(t.episode.start.UnixNano())
	in.AtMost = LeanInLonger * in.For // a limit will be computed from it
	return in, true
}

// situation of the container over the samples that are kept.
func (t *track) situation() Situation {
	first, now := t.samples[0], t.samples[len(t.samples)-1]
	at, own := difference(first, now, worst(first, now)), difference(first, now, 0)
	return Situation{Quota: now.Levels[0].Quota, Throttled: at.percent() / 100, Usage: own.millicores(own.usage)}
}

// Abandoned returns the final form of the episodes handed to Resume that were
// not taken up since: they ended while nobody listened, at some time after
// they were last seen.
func (d *Detector) Abandoned() []*v1alpha1.KernelWhisper { return d.resumable.abandon() }

// opens is true if the recent samples make an episode.
func (d *Detector) opens(t *track) bool {
	now := t.samples[len(t.samples)-1]
	if !t.throttledSince(t.samples[0]) {
		return false // as nearly always
	}
	first := t.since(now.time() - min(now.time(), uint64(d.config.OpenWithin)))
	for i := range now.Levels {
		delta := difference(first, now, i)
		if float64(delta.throttled) >= d.config.periodsWithin(delta.elapsed) && delta.percent() >= d.config.OpenPercent {
			return true
		}
	}
	return false
}

// periodsWithin is how many throttled periods make an episode. Where samples are
// further apart than a second there is none of OpenWithin ago, and more of them
// are asked of the longer time: the same rate.
func (c *Config) periodsWithin(elapsed uint64) float64 {
	within := float64(c.OpenWithin + time.Second)
	return float64(c.OpenPeriods) * max(1, float64(elapsed)/within)
}

// add keeps a sample and drops those older than the window needs. Counters that
// ran backwards (the cgroup was made anew) begin the track afresh, as other
// limits do: no figure is of two of them.
func (t *track) add(s Sample, window time.Duration) {
	if n := len(t.samples); n > 0 && !follows(t.samples[n-1], s) {
		t.samples = nil
	}
	t.samples = append(t.samples, s)
	for len(t.samples) > 2 && s.time()-t.samples[1].time() >= uint64(window) {
		t.samples = t.samples[1:]
	}
}

func follows(a, b Sample) bool {
	if len(a.Levels) != len(b.Levels) || a.Levels[0].Cgroup != b.Levels[0].Cgroup {
		return false
	}
	for i := range a.Levels {
		if a.Levels[i].Cgroup != b.Levels[i].Cgroup || a.Levels[i].Periods > b.Levels[i].Periods ||
			a.Levels[i].Throttled > b.Levels[i].Throttled ||
			a.Levels[i].Quota != b.Levels[i].Quota || a.Levels[i].Period != b.Levels[i].Period {
			return false
		}
	}
	return a.time() < b.time()
}

// since is the last sample taken at or before a time, or the oldest.
func (t *track) since(at uint64) Sample {
	for i := len(t.samples) - 1; i > 0; i-- {
		if t.samples[i].Levels[0].Time <= at {
			return t.samples[i]
		}
	}
	return t.samples[0]
}

func (t *track) throttledSince(first Sample) bool {
	now := t.samples[len(t.samples)-1]
	for i := range now.Levels {
		if now.Levels[i].Throttled != first.Levels[i].Throttled {
			return true
		}
	}
	return false
}
