// SPDX-License-Identifier: Apache-2.0

// Package cpu finds containers that suffer for want of CPU: those that a limit
// holds, in samples of their bandwidth counters, and those that wait for a CPU,
// in recordings of their bursts. It decides whose bursts are worth a recording
// and says what they mean. It is pure: samples and recordings go in, whispers
// and wishes come out.
package cpu

import (
	"maps"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Watch is everything that is known of the CPU time of a node's containers. It is
// not safe for concurrent use.
type Watch struct {
	throttling *Detector
	contention *Contention
	suspects   *Suspects
	stats      Stats
}

// Stats are a watch's running totals.
type Stats struct {
	// LeanIns that began, by reason; Refused are those of which nothing was heard,
	// and Spoiled those of a limit that was changed meanwhile.
	LeanIns          map[Why]uint64
	Refused, Spoiled uint64
	// Shortened are those that a budget made shorter, Withheld those that it refused.
	Shortened, Withheld uint64
	// Bursts heard, and lost.
	Bursts, BurstsLost uint64
	// UnderWay now. Episodes going on, of both kinds.
	UnderWay, Episodes int
}

// NewWatch knows of no container.
func NewWatch(c Config) *Watch {
	w := &Watch{
		throttling: NewDetector(c), contention: NewContention(c), suspects: NewSuspects(c),
		stats: Stats{LeanIns: map[Why]uint64{}},
	}
	w.throttling.underWay, w.throttling.waiting = w.suspects.UnderWay, w.suspects.Waiting
	w.throttling.withheld = w.suspects.Withheld
	return w
}

// Deaf takes that nobody can lean in: nothing is waited for that will not come.
func (w *Watch) Deaf() { w.suspects.config.LeanIn = 0 }

// Restrain sets how far lean-ins give way from now on.
func (w *Watch) Restrain(r Restraint) { w.suspects.Restrain(r) }

// Resume hands over an episode that an earlier run of the observer left open: it
// goes on if the container still suffers, and ends where it was last seen if not.
func (w *Watch) Resume(k *v1alpha1.KernelWhisper) {
	if k.Spec.Reason == v1alpha1.ReasonCPUContention {
		w.contention.Resume(k)
		return
	}
	w.throttling.Resume(k)
}

// Abandoned returns the final form of the episodes handed to Resume that did not
// go on since.
func (w *Watch) Abandoned() []*v1alpha1.KernelWhisper {
	return append(w.throttling.Abandoned(), w.contention.Abandoned()...)
}

// Node takes how the node's CPUs have been used.
func (w *Watch) Node(n Node) []*v1alpha1.KernelWhisper { return w.contention.Node(n) }

// Take takes a sample of a container, limited or not, and returns what is to be
// written.
func (w *Watch) Take(s Sample) []*v1alpha1.KernelWhisper {
	id := s.Container.ID
	told := w.throttling.Take(s)
	w.contention.Take(s)
	in, wanted := w.throttling.Interest(id)
	if !wanted {
		in, wanted = w.contention.Interest(id)
	}
	if wanted {
		w.suspects.Suspect(id, in, s.time())
	} else {
		w.suspects.Clear(id)
	}
	return told
}

// Gone takes that a container no longer exists, or is not observed any more, and
// returns its last whispers.
func (w *Watch) Gone(id string) []*v1alpha1.KernelWhisper {
	w.suspects.Forget(id)
	var told []*v1alpha1.KernelWhisper
	if k, ok := w.throttling.Gone(id); ok {
		told = append(told, k)
	}
	if k, ok := w.contention.Gone(id); ok {
		told = append(told, k)
	}
	return told
}

// LeanIns are those to lean in on from now. What comes of each is to be told to
// Heard, also if it is nothing.
func (w *Watch) LeanIns(now uint64) []LeanIn {
	next := w.suspects.Next(now)
	for _, l := range next {
		w.stats.LeanIns[l.Why]++
	}
	return next
}

// Listening is how many containers are leaned in on now.
func (w *Watch) Listening() int { return w.suspects.Listening() }

// Heard takes what came of a lean-in, and returns what is to be written.
func (w *Watch) Heard(h Heard, now uint64) []*v1alpha1.KernelWhisper {
	if w.suspects.Void(h.ContainerID) && h.Failed == "" {
		h = Heard{ContainerID: h.ContainerID, Why: h.Why, Failed: "the container is not observed any more"}
	}
	w.stats.Bursts += uint64(len(h.Recording.Bursts))
	w.stats.BurstsLost += h.Recording.Lost
	switch {
	case h.Failed != "":
		w.stats.Refused++
	case !h.usable():
		w.stats.Spoiled++
	}
	told := w.throttling.Heard(h)
	told = append(told, w.contention.Heard(h)...)
	w.suspects.Done(h.ContainerID, now)
	return told
}

// Stats returns the running totals.
func (w *Watch) Stats() Stats {
	s := w.stats
	s.LeanIns = maps.Clone(s.LeanIns)
	s.UnderWay = w.suspects.Listening()
	s.Shortened, s.Withheld = w.suspects.shortened, w.suspects.refused
	s.Episodes = w.throttling.Open() + len(w.contention.episodes)
	return s
}

// resumables are episodes that an earlier run of the observer left open, by pod
// UID and container name.
type resumables map[[2]string]*v1alpha1.KernelWhisper

func (r resumables) add(w *v1alpha1.KernelWhisper) {
	r[[2]string{w.Spec.PodRef.UID, w.Spec.ContainerName}] = w
}

// take finds the episode of a container, and gives it away.
func (r resumables) take(c Container) *v1alpha1.KernelWhisper {
	key := [2]string{c.PodUID, c.Name}
	w := r[key]
	delete(r, key)
	return w
}

// abandon gives up all: they ended while nobody listened, at some time after they
// were last seen.
func (r resumables) abandon() []*v1alpha1.KernelWhisper {
	all := slices.Collect(maps.Values(r))
	clear(r)
	for _, w := range all {
		last := w.Spec.LastSeenTime
		w.Spec.EndTime = &last
	}
	return all
}
