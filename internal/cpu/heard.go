// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/counterfactual"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Heard is what came of a lean-in.
type Heard struct {
	ContainerID string          `json:"containerID"`
	Why         Why             `json:"why"`
	Recording   event.Recording `json:"recording"`
	// Before and After are the node's CPUs at the recording's ends, zero if not read.
	Before Node `json:"before,omitzero"`
	After  Node `json:"after,omitzero"`
	// Failed says why nothing was heard.
	Failed string `json:"failed,omitempty"`
	// Replayed is what the model made of the recording, nil if it was not asked.
	Replayed *counterfactual.Result `json:"-"`
}

// own is the container's own bandwidth at the recording's ends.
func (h Heard) own() (before, after event.Group) {
	if len(h.Recording.Before) == 0 || len(h.Recording.After) == 0 {
		return before, after
	}
	return h.Recording.Before[0], h.Recording.After[0]
}

// usable is false for what says nothing: it failed, or the limit was changed
// meanwhile and the recording is of neither.
func (h Heard) usable() bool {
	return h.Failed == "" && h.Recording.To > h.Recording.From && Steady(h.Recording.Before, h.Recording.After)
}

// Judge replays the recording at other limits, where that can be.
func (h *Heard) Judge() {
	if h.usable() && Replayable(h.Recording) {
		result := counterfactual.Replay(h.Recording, counterfactual.DefaultConfig())
		h.Replayed = &result
	}
}

// summarize is the recording in the terms of the API. The sample tells which of its
// cgroups is the container's pod.
func (c *Config) summarize(h Heard, at Sample) summary {
	s := summarize(h.Recording, at.Container, c.Wall, c.Neighbor)
	if h.Recording.CPUs < cpusOf(h.Before, h.After) {
		s.bursts.StolenMicroseconds = 0 // from which CPUs is not known
	}
	before, _ := h.own()
	s.bursts.RequestMillicores = c.Request(at.Container, before)
	s.bursts.LimitMillicores, s.bursts.PodLimitMillicores = h.limits(at)
	return s
}

// limits (millicores) that the recording was made under: the container's own, nil if it
// was not read and 0 for none, and its pod's.
func (h Heard) limits(at Sample) (own *int64, pod int64) {
	for i, g := range h.Recording.Before {
		limit := millicores(g.Quota, g.Period)
		if i == 0 {
			own = &limit
			continue
		}
		if at.podIs(g.Cgroup) {
			pod = limit
		}
	}
	return own, pod
}

func (s Sample) podIs(cgroup uint64) bool {
	return slices.ContainsFunc(s.Levels, func(l Level) bool { return l.At == v1alpha1.ThrottledAtPod && l.Cgroup == cgroup })
}

// RequestOfShares is the CPU request, in millicores, for which the kubelet writes
// a weight (cpu.shares: 1024 is a core); 0 for the least one, 2. The kubelet rounds
// down (pkg/kubelet/cm/helpers_linux.go, MilliCPUToShares), so this rounds up.
func RequestOfShares(shares uint64) int64 {
	if shares <= 2 {
		return 0
	}
	return int64((shares*1000 + 1023) / 1024)
}

// RequestOfWeight is the same for the shares that cgroup v2 makes of cpu.weight
// (1 to 10000), by the conversion of KEP-2254 that runtimes used until 2025. It
// is coarse: a weight stands for about 26 millicores.
func RequestOfWeight(shares uint64) int64 {
	weight := (shares*100 + 512) / 1024
	if weight <= 1 {
		return 0
	}
	return RequestOfShares(2 + ((weight-1)*262142+4999)/9999)
}

// figuresOf takes the figures of a recording out of a truth.
func figuresOf(k v1alpha1.KernelTruth) *figures {
	f := &figures{
		threadTimeLost: k.ThreadTimeLostPercent, waitP99: k.RunQueueWaitP99Microseconds,
		stallP50: k.StallP50Microseconds, stallP99: k.StallP99Microseconds,
	}
	if k.ContextSwitches != nil {
		f.switches = *k.ContextSwitches
	}
	if k.RunnableThreadsMax != nil {
		f.runnable = *k.RunnableThreadsMax
	}
	return f
}

// Heard takes a recording of a container: into the episode that is going on, or
// into what is measured of a change. What neither is there for says nothing.
func (d *Detector) Heard(h Heard) []*v1alpha1.KernelWhisper {
	t := d.tracks[h.ContainerID]
	if t == nil || !h.usable() {
		return nil
	}
	if h.Why == WhyChanged {
		if c := t.change(); c != nil {
			c.hear(h, d.config)
		}
		return nil
	}
	e := t.episode
	if e == nil || h.Why != WhyThrottled || e.change != nil && !e.change.before(h) {
		return nil
	}
	e.hear(h, t.samples[len(t.samples)-1])
	return []*v1alpha1.KernelWhisper{e.whisper()}
}

// hear takes the recording into the episode.
func (e *episode) hear(h Heard, now Sample) {
	s := e.config.summarize(h, now)
	e.spec.Bursts, e.figures = &s.bursts, &s.figures
	e.spec.Counterfactual, e.spec.BurstsMissing = nil, ""
	if h.Replayed != nil {
		e.spec.Counterfactual = replayed(h.Recording, *h.Replayed)
	}
	e.figures.write(&e.spec.KernelTruth)
	e.heard = evidenceHeard(h, now.Levels[0].Path)
}
