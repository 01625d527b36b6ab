// SPDX-License-Identifier: Apache-2.0

// Package cpu finds episodes of CPU throttling in samples of cgroups'
// bandwidth counters. It is pure: samples go in, whispers come out.
package cpu

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Config of a Detector.
type Config struct {
	NodeName string
	// Window that a whisper's counters cover, once the episode is as old; up to
	// one interval between samples longer.
	Window time.Duration
	// OpenWithin, OpenPeriods and OpenPercent: an episode begins when within
	// OpenWithin at least OpenPeriods periods were throttled, and those were at
	// least OpenPercent of the active ones. The count keeps an idle agent that
	// is throttled once per wake-up quiet; the share keeps a busy one that is
	// hardly held.
	OpenWithin  time.Duration
	OpenPeriods uint32
	OpenPercent float64
	// Quiet is how long no period must be throttled for an episode to end.
	Quiet time.Duration
	// Repeat is when an episode that lasts is told again for the first time. Each
	// further time comes after twice as long, up to RepeatMax: ten thousand
	// containers that are always throttled must not keep the API server busy.
	Repeat, RepeatMax time.Duration
	// Wall turns the clock of samples (monotonic, ns) into wall time.
	Wall func(monotonic uint64) time.Time
}

// DefaultConfig has the thresholds that the documentation states.
func DefaultConfig() Config {
	return Config{
		Window:      15 * time.Second,
		OpenWithin:  5 * time.Second,
		OpenPeriods: 5,
		OpenPercent: 10,
		Quiet:       10 * time.Second,
		Repeat:      15 * time.Second,
		RepeatMax:   4 * time.Minute,
	}
}

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

// track is what is kept of one container.
type track struct {
	samples []Sample
	episode *episode
}

// Detector holds the recent samples and the open episodes of a node. It is not
// safe for concurrent use.
type Detector struct {
	config Config
	tracks map[string]*track
	// resumable are episodes that an earlier run of the observer left open, by
	// pod UID and container name.
	resumable map[[2]string]*v1alpha1.KernelWhisper
}

// NewDetector makes a detector that knows of no container.
func NewDetector(c Config) *Detector {
	return &Detector{config: c, tracks: map[string]*track{}, resumable: map[[2]string]*v1alpha1.KernelWhisper{}}
}

// Resume hands over an episode that an earlier run of the observer left open:
// it goes on if the container is still throttled, and ends where it was last
// seen if not.
func (d *Detector) Resume(w *v1alpha1.KernelWhisper) {
	d.resumable[[2]string{w.Spec.PodRef.UID, w.Spec.ContainerName}] = w
}

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

// Take takes a sample and returns the whisper to be written, if there is one.
func (d *Detector) Take(s Sample) (*v1alpha1.KernelWhisper, bool) {
	t := d.tracks[s.Container.ID]
	if t == nil {
		t = &track{}
		d.tracks[s.Container.ID] = t
	}
	t.add(s, d.config.Window)
	if t.episode == nil {
		if !d.opens(t) {
			return nil, false
		}
		t.episode = d.begin(t, s)
		return t.episode.tell(s), true
	}
	return d.goOn(t, s)
}

// goOn continues an episode with a new sample, or ends it.
func (d *Detector) goOn(t *track, s Sample) (*v1alpha1.KernelWhisper, bool) {
	e := t.episode
	e.container = s.Container
	if t.throttledSince(t.samples[max(0, len(t.samples)-2)]) {
		e.lastSeen = s.time()
		e.truth(t, s)
	}
	switch {
	case s.time()-e.lastSeen >= uint64(d.config.Quiet):
		t.episode = nil
		return e.end(), true
	case s.time()-e.told >= uint64(e.repeat) && e.lastSeen > e.told:
		return e.tell(s), true
	}
	return nil, false
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

// Abandoned returns the final form of the episodes handed to Resume that were
// not taken up since: they ended while nobody listened, at some time after
// they were last seen.
func (d *Detector) Abandoned() []*v1alpha1.KernelWhisper {
	var ended []*v1alpha1.KernelWhisper
	for key, w := range d.resumable {
		delete(d.resumable, key)
		last := w.Spec.LastSeenTime
		w.Spec.EndTime = &last
		ended = append(ended, w)
	}
	return ended
}

// opens is true if the recent samples make an episode.
func (d *Detector) opens(t *track) bool {
	now := t.samples[len(t.samples)-1]
	first := t.since(now.time() - min(now.time(), uint64(d.config.OpenWithin)))
	for i := range now.Levels {
		delta := difference(first, now, i)
		if delta.throttled >= d.config.OpenPeriods && delta.percent() >= d.config.OpenPercent {
			return true
		}
	}
	return false
}

// add keeps a sample and drops those older than the window needs. Counters that
// ran backwards (the cgroup was made anew) begin the track afresh.
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
			a.Levels[i].Throttled > b.Levels[i].Throttled {
			return false
		}
	}
	return a.time() < b.time()
}

// since is the last sample taken at or before a time, or the oldest.
func (t *track) since(at uint64) Sample {
	first := t.samples[0]
	for _, s := range t.samples {
		if s.time() > at {
			break
		}
		first = s
	}
	return first
}

func (t *track) throttledSince(first Sample) bool {
	now := t.samples[len(t.samples)-1]
	for i := range now.Levels {
		if difference(first, now, i).throttled > 0 {
			return true
		}
	}
	return false
}
