// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// LeanWith sets who listens to bursts; nobody if it is nil.
func (e *Engine) LeanWith(listen func(LeanIn)) {
	e.leanIn = listen
	if listen == nil {
		e.watch.Deaf()
	}
}

// lean listens to those whose turn it is.
func (e *Engine) lean(now uint64) {
	for _, l := range e.watch.LeanIns(now) {
		refs, ok := e.refs(l.ContainerID)
		if !ok {
			e.Heard(Heard{Heard: cpu.Heard{ContainerID: l.ContainerID, Why: l.Why, Failed: "the container is gone"}}, now)
			continue
		}
		e.leanIn(LeanIn{LeanIn: l, Levels: refs})
	}
}

// refs are the cgroups of a container as they were read in the latest round.
func (e *Engine) refs(containerID string) ([]CgroupRef, bool) {
	refs, ok := e.cgroups[containerID]
	return slices.Clone(refs), ok
}

// Heard takes what came of a lean-in.
func (e *Engine) Heard(h Heard, now uint64) {
	e.stats.ReplayTime += h.Took
	e.whisper(e.watch.Heard(h.Heard, now))
}

// neighbor names the cgroup of whoever ran while a container waited: by its pod and
// container, or by its path. Pods that opted out are not named.
func (e *Engine) neighbor(id uint64) v1alpha1.Preemptor {
	entry, ok := e.dictionary.Lookup(id)
	if !ok {
		return v1alpha1.Preemptor{Cgroup: "unknown"}
	}
	if uid := entry.Place.PodUID; uid != "" {
		if pod, ok := e.book.Pod(uid); ok {
			if pod.OptedOut {
				return v1alpha1.Preemptor{Cgroup: "a pod that is not observed"}
			}
			return v1alpha1.Preemptor{Namespace: pod.Namespace, Pod: pod.Name, Container: pod.ContainerName(entry.Place.ContainerID)}
		}
		if name := e.ledger.Name(uid); name.Name != "" {
			return v1alpha1.Preemptor{Namespace: name.Namespace, Pod: name.Name, Container: shortID(entry.Place.ContainerID)}
		}
	}
	return v1alpha1.Preemptor{Cgroup: cpu.PathEnd(entry.Path, neighborPathMax)}
}

// neighborPathMax bounds the path of a neighbor's cgroup, in bytes.
const neighborPathMax = 120

// request is what a container's weight stands for. On cgroup v2 two conversions are
// in use, which give one weight for different requests: there the API server is
// asked first.
func (e *Engine) request(of cpu.Container, g event.Group) int64 {
	if !e.config.WeightsV2 {
		return cpu.RequestOfShares(g.Shares)
	}
	pod, _ := e.book.Pod(of.PodUID)
	for _, c := range pod.Containers {
		if c.ID == of.ID && c.CPURequest != nil {
			return *c.CPURequest
		}
	}
	return cpu.RequestOfWeight(g.Shares)
}
