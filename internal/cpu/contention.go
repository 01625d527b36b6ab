// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"maps"
	"slices"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// What makes waiting for a CPU an episode. Threads that share a CPU take turns of
// some milliseconds: a wait of waitFrom is several turns, and a container that
// waits for waitShare of its time has lost more than the noise of a busy machine.
// An episode that is going on does so down to half of both.
const (
	waitFrom  = 20 * time.Millisecond
	waitShare = 0.2
	// waitLeast is what its threads must have waited in all, per second.
	waitLeast = 10 * time.Millisecond
	// usageLeast (millicores): who uses less is not listened to.
	usageLeast = 10
	// idleFor is how long a node must not be busy for its episodes to end, staleFor
	// after what time one ends that was not heard again.
	idleFor  = time.Minute
	staleFor = 15 * time.Minute
)

// contended is an episode of one container.
type contended struct {
	container Container
	name      string
	start     time.Time
	lastSeen  uint64
	path      string
	spec      v1alpha1.KernelWhisperSpec
}

// Contention finds containers that wait for a CPU though no limit holds them. It
// is not safe for concurrent use.
type Contention struct {
	config Config
	load   load
	// busyAt is when the node was last busy, 0: never.
	busyAt    uint64
	latest    map[string]Sample
	usage     map[string]int64 // millicores between the two latest samples
	episodes  map[string]*contended
	resumable resumables
}

// NewContention knows of no container.
func NewContention(c Config) *Contention {
	return &Contention{
		config: c, latest: map[string]Sample{}, usage: map[string]int64{}, episodes: map[string]*contended{},
		resumable: resumables{},
	}
}

// Resume hands over an episode that an earlier run of the observer left open.
func (c *Contention) Resume(w *v1alpha1.KernelWhisper) { c.resumable.add(w) }

// Abandoned returns the final form of those that did not go on since.
func (c *Contention) Abandoned() []*v1alpha1.KernelWhisper { return c.resumable.abandon() }

// Node takes how the node's CPUs were used, and ends the episodes where they are
// no longer busy.
func (c *Contention) Node(n Node) []*v1alpha1.KernelWhisper {
	c.load.add(n)
	if c.load.busy() {
		c.busyAt = n.Time
	}
	idle := n.Time-c.busyAt >= uint64(idleFor)
	var told []*v1alpha1.KernelWhisper
	for _, id := range slices.Sorted(maps.Keys(c.episodes)) {
		if idle || n.Time > c.episodes[id].lastSeen+uint64(staleFor) {
			told = append(told, c.end(id))
		}
	}
	return told
}

// Take takes a sample of any container, limited or not.
func (c *Contention) Take(s Sample) {
	id := s.Container.ID
	if was, ok := c.latest[id]; ok && was.Levels[0].Cgroup == s.Levels[0].Cgroup && was.time() < s.time() {
		own := s.Levels[0]
		d := delta{elapsed: own.Time - was.time()}
		c.usage[id] = d.millicores(max(own.Usage, was.Levels[0].Usage) - was.Levels[0].Usage)
	}
	c.latest[id] = s
}

// Interest is what a recording of the container is wanted for, if it is.
func (c *Contention) Interest(id string) (Interest, bool) {
	s, ok := c.latest[id]
	if !ok || !c.load.busy() || c.usage[id] < usageLeast && c.episodes[id] == nil {
		return Interest{}, false
	}
	return Interest{
		Why: WhyContended, For: min(c.config.ContentionLeanIn, c.config.LeanIn),
		Situation: Situation{Quota: s.Levels[0].Quota, Usage: c.usage[id]},
	}, true
}

// Heard takes a recording: it opens an episode, goes on with one, or ends it.
func (c *Contention) Heard(h Heard) []*v1alpha1.KernelWhisper {
	at, ok := c.latest[h.ContainerID]
	if !ok || !h.usable() || h.Why != WhyContended || !of(at, h) {
		return nil
	}
	s := c.config.summarize(h, at)
	e := c.episodes[h.ContainerID]
	if !waits(s.figures, span(h.Recording.From, h.Recording.To), e != nil) {
		if e == nil {
			return nil
		}
		return []*v1alpha1.KernelWhisper{c.end(h.ContainerID)}
	}
	if e == nil {
		e = c.begin(at, h)
	}
	e.hear(at, h, s)
	return []*v1alpha1.KernelWhisper{e.whisper(c.config)}
}

// waits is true for a container whose threads wait for others' sake. What they
// wait for one another is no contention: it has more threads than CPUs.
func waits(f figures, window uint64, already bool) bool {
	less := uint64(1)
	if already {
		less = 2
	}
	others := f.queued
	if known := f.foreign + f.ownQueue; known > 0 {
		others = uint64(float64(f.queued) * float64(f.foreign) / float64(known))
	}
	return f.waitP99 != nil && uint64(*f.waitP99)*1000 >= uint64(waitFrom)/less &&
		float64(others) >= waitShare/float64(less)*float64(f.cpu+f.queued) &&
		float64(others) >= float64(waitLeast)*time.Duration(window).Seconds()
}

func (c *Contention) begin(at Sample, h Heard) *contended {
	e := &contended{container: at.Container, start: c.config.Wall(h.Recording.From)}
	e.name = Name(e.container, v1alpha1.ReasonCPUContention, e.start)
	if old := c.resumable.take(e.container); old != nil {
		e.name, e.start = old.Name, old.Spec.StartTime.Time
	}
	e.path = at.Levels[0].Path
	c.episodes[h.ContainerID] = e
	return e
}

// hear writes what the latest recording says.
func (e *contended) hear(at Sample, h Heard, s summary) {
	e.lastSeen = h.Recording.To
	e.spec.Bursts = &s.bursts
	first, now := sampleOf(at, h.Recording.Before), sampleOf(at, h.Recording.After)
	e.spec.KernelTruth = truth(first, now)
	s.figures.write(&e.spec.KernelTruth)
	e.spec.Evidence = evidence(first, now)
	e.spec.Evidence = append(e.spec.Evidence, between("run-queue wait (ns) of its threads, by sched_switch", 0, s.figures.queued))
	e.spec.Evidence = append(e.spec.Evidence, evidenceHeard(h, e.path)...)
}

// of is true for a recording of the cgroup that the container has: one that was made anew
// meanwhile has other counters.
func of(at Sample, h Heard) bool {
	before, after := h.own()
	own := at.Levels[0].Cgroup
	return before.Cgroup == own && after.Cgroup == own
}

// sampleOf is the container's bandwidth as it was read for a recording, at the
// levels that are known by their paths.
func sampleOf(at Sample, groups []event.Group) Sample {
	s := Sample{Container: at.Container}
	for _, g := range groups {
		for _, l := range at.Levels {
			if l.Cgroup == g.Cgroup {
				s.Levels = append(s.Levels, Level{At: l.At, Path: l.Path, Group: g})
			}
		}
	}
	return s
}

func (e *contended) whisper(c Config) *v1alpha1.KernelWhisper {
	w := newWhisper(c, e.container, e.name)
	e.spec.DeepCopyInto(&w.Spec)
	w.Spec.Reason = v1alpha1.ReasonCPUContention
	stamp(w, c, e.container, e.start, e.lastSeen)
	return w
}

// end writes the episode for the last time: it ended when it was last heard.
func (c *Contention) end(id string) *v1alpha1.KernelWhisper {
	w := c.episodes[id].whisper(c.config)
	delete(c.episodes, id)
	last := w.Spec.LastSeenTime
	w.Spec.EndTime = &last
	return w
}

// Gone takes that a container no longer exists.
func (c *Contention) Gone(id string) (*v1alpha1.KernelWhisper, bool) {
	delete(c.latest, id)
	delete(c.usage, id)
	if c.episodes[id] == nil {
		return nil, false
	}
	return c.end(id), true
}
