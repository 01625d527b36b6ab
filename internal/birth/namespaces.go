// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Types of namespaces by their clone flag, in the order of NamespacesCreated.
var namespaceFlags = []struct {
	flag int64
	name string
	at   func(*v1alpha1.NamespacesCreated) *int64
}{
	{unix.CLONE_NEWNS, "mount", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.Mount }},
	{unix.CLONE_NEWPID, "pid", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.PID }},
	{unix.CLONE_NEWNET, "network", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.Network }},
	{unix.CLONE_NEWUTS, "uts", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.UTS }},
	{unix.CLONE_NEWIPC, "ipc", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.IPC }},
	{unix.CLONE_NEWCGROUP, "cgroup", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.Cgroup }},
	{unix.CLONE_NEWUSER, "user", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.User }},
	{unix.CLONE_NEWTIME, "time", func(n *v1alpha1.NamespacesCreated) *int64 { return &n.Time }},
}

func namespaceNames(flags int64) []string {
	var names []string
	for _, f := range namespaceFlags {
		if flags&f.flag != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// namespaces counts those that were made, or those that were joined. A network
// namespace that a daemon made is known by its mount.
func (w *writer) namespaces(kind event.Kind) *v1alpha1.NamespacesCreated {
	n := &v1alpha1.NamespacesCreated{}
	for _, e := range w.birth.events {
		switch {
		case e.Kind == event.NetnsBind && kind == event.Namespaces:
			n.Network++
		case e.Kind == kind && !e.Workload:
			for _, f := range namespaceFlags {
				if e.Value&f.flag != 0 {
					*f.at(n)++
				}
			}
		}
	}
	return n
}
