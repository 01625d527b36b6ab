// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// tellJoined tells the namespaces that a step joined as one entry, at the first:
// a CNI plugin goes into its pod's network many times.
func (w *writer) tellJoined() {
	for _, s := range w.steps {
		var flags int64
		var first attribution.Attributed
		for _, e := range w.birth.events {
			if e.Kind == event.Setns && e.Session == s.id && !e.Workload {
				if flags == 0 {
					first = e
				}
				flags |= e.Value
			}
		}
		if flags != 0 {
			w.tell(first.Time, w.stepActor(s), w.container(s.who), "NamespacesJoined", strings.Join(namespaceNames(flags), " "))
		}
	}
}

// tellLimits tells the writes to control files of a step as one entry, at the
// last of them.
func (w *writer) tellLimits() {
	for _, s := range w.steps {
		var files []string
		var last uint64
		for _, e := range w.birth.events {
			if e.Kind == event.CgroupWrite && e.Session == s.id && e.File != "cgroup.procs" && e.File != "tasks" {
				last = max(last, e.Time)
				if !slices.Contains(files, e.File) {
					files = append(files, e.File)
				}
			}
		}
		if len(files) > 0 {
			w.tell(last, w.stepActor(s), w.container(s.who), "LimitsWritten", strings.Join(files, " "))
		}
	}
}

// tellMounts tells the mounts of a step as one entry, at the first of them.
func (w *writer) tellMounts() {
	for _, s := range w.steps {
		c := s.counts.Own
		if c.Mounts > 0 {
			w.tell(c.FirstMount, w.stepActor(s), w.container(s.who), "Mounts",
				fmt.Sprintf("%d in %s", c.Mounts, Duration(int64((c.LastMount-c.FirstMount)/1000))))
		}
	}
}
