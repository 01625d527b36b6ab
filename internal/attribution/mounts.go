// SPDX-License-Identifier: Apache-2.0

package attribution

import (
	"regexp"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Daemons serve many pods; what they mount says for which.
var (
	// kubelet's volumes: <root>/pods/<uid>/volumes/… (pkg/kubelet/kubelet_getters.go).
	podVolume = regexp.MustCompile(`/pods/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})/`)
	// containerd's bundles: …/io.containerd.runtime.v2.task/<namespace>/<id>/rootfs
	// (core/runtime/v2/bundle.go). Others keep the id out of the path.
	containerRoot = regexp.MustCompile(`/([0-9a-f]{64})/rootfs$`)
	// A sandbox's own files, such as its /dev/shm, lie below its id.
	sandboxFile = regexp.MustCompile(`/sandboxes/([0-9a-f]{64})/`)
)

// containerOfRoot is the id of the container whose root file system or sandbox
// file is mounted there, or empty.
func containerOfRoot(path string) string {
	if m := containerRoot.FindStringSubmatch(path); m != nil {
		return m[1]
	}
	if m := sandboxFile.FindStringSubmatch(path); m != nil {
		return m[1]
	}
	return ""
}

func (l *Ledger) hearDaemonMount(e event.Event) Verdict {
	if m := podVolume.FindStringSubmatch(e.Path); m != nil {
		l.count()
		l.attributed++
		return Verdict{Attributed: []Attributed{{e, Identity{PodUID: m[1]}}}}
	}
	id := containerOfRoot(e.Path)
	if id == "" {
		l.count()
		l.daemons++
		return Verdict{}
	}
	if c := l.containers[id]; c != nil && c.pod != "" {
		l.count()
		l.attributed++
		return Verdict{Attributed: []Attributed{{e, Identity{PodUID: c.pod, ContainerID: id, Sandbox: c.sandbox}}}}
	}
	return l.hearMount(e, id)
}

// hearMount lets a mount wait for whoever knows what its target names.
func (l *Ledger) hearMount(e event.Event, key string) Verdict {
	if l.waiting >= waitingMax {
		l.count()
		l.daemons++
		return Verdict{}
	}
	l.mounts[key] = append(l.mounts[key], held{e, l.count()})
	l.waiting++
	return Verdict{}
}

// takeMounts are the mounts that waited for a name which is now known.
func (l *Ledger) takeMounts(key string, who Identity) []Attributed {
	all := l.mounts[key]
	if key == "" || len(all) == 0 {
		return nil
	}
	delete(l.mounts, key)
	l.waiting -= uint64(len(all))
	l.attributed += uint64(len(all))
	var out []Attributed
	for _, h := range all {
		out = append(out, Attributed{h.Event, who})
	}
	return out
}

// sweepMounts gives up mounts that nobody named in all the time: of the network
// namespaces and containers of others than the kubelet.
func (l *Ledger) sweepMounts(now uint64) {
	for key, all := range l.mounts {
		kept := slices.DeleteFunc(all, func(h held) bool { return now > h.Time+rememberDead })
		given := uint64(len(all) - len(kept))
		l.waiting, l.daemons = l.waiting-given, l.daemons+given
		if l.mounts[key] = kept; len(kept) == 0 {
			delete(l.mounts, key)
		}
	}
}
