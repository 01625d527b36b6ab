// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	actorsMax      = 40
	topSyscallsMax = 12
)

func (w *writer) stepActor(s *step) v1alpha1.Actor {
	if s.role == event.RoleCNI {
		return v1alpha1.ActorCNI
	}
	return v1alpha1.ActorRuntime
}

func (w *writer) writeStats() {
	k := &w.spec.KernelStats
	k.WindowMicroseconds = w.offset(w.closing.Now)
	names := map[string]int64{}
	var actors []v1alpha1.ActorStats
	var mounts, cgroupWrites, devices, rules int64
	for _, s := range w.steps {
		container := w.container(s.who)
		actors = w.addActor(actors, w.stepActor(s), container, s.counts.Own, names)
		actors = w.addActor(actors, v1alpha1.ActorWorkload, container, s.counts.Workload, names)
		mounts += int64(s.counts.Own.Mounts)
		cgroupWrites += int64(s.counts.Own.CgroupWrites)
		devices += int64(s.counts.Own.NetDevices)
		rules += int64(s.counts.Own.NetfilterRules)
	}
	for _, a := range actors {
		k.TotalSyscalls += a.Syscalls
	}
	k.Actors = actors[:min(len(actors), actorsMax)]
	k.TopSyscalls = topSyscalls(names)
	for _, e := range w.birth.events {
		if e.Kind == event.CgroupMkdir {
			k.CgroupsCreated++
		}
	}
	if w.deedsHeard() {
		k.Mounts, k.CgroupWrites, k.NetDevicesCreated, k.NetfilterRules = &mounts, &cgroupWrites, &devices, &rules
		k.NamespacesCreated, k.NamespacesJoined = w.namespaces(event.Namespaces), w.namespaces(event.Setns)
	}
}

func (w *writer) addActor(all []v1alpha1.ActorStats, actor v1alpha1.Actor, container string, c event.Counts, names map[string]int64) []v1alpha1.ActorStats {
	if c.Execs == 0 && c.Processes == 0 && len(c.Syscalls) == 0 {
		return all
	}
	i := slices.IndexFunc(all, func(a v1alpha1.ActorStats) bool { return a.Actor == actor && a.Container == container })
	if i < 0 {
		all = append(all, v1alpha1.ActorStats{Actor: actor, Container: container})
		i = len(all) - 1
	}
	for nr, n := range c.Syscalls {
		all[i].Syscalls += int64(n)
		names[w.config.SyscallName(nr)] += int64(n)
	}
	all[i].Processes += int64(c.Processes)
	all[i].Execs += int64(c.Execs)
	all[i].CPUMicroseconds += int64(c.CPU / 1000)
	return all
}

func topSyscalls(names map[string]int64) []v1alpha1.SyscallCount {
	var top []v1alpha1.SyscallCount
	for name, n := range names {
		top = append(top, v1alpha1.SyscallCount{Name: name, Count: n})
	}
	slices.SortFunc(top, func(a, b v1alpha1.SyscallCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return top[:min(len(top), topSyscallsMax)]
}
