// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"encoding/json"
	"fmt"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	missingMax    = 12
	missingLength = 160
	// sizeMax is the certificate's share of the contract's 16 KiB: the rest is
	// for metadata and status.
	sizeMax = 14 * 1024
)

// miss notes something that was not heard.
func (w *writer) miss(format string, args ...any) {
	if len(w.missing) < missingMax {
		w.missing = append(w.missing, cut(fmt.Sprintf(format, args...), missingLength))
	}
}

func (w *writer) writeCoverage() {
	c := &w.spec.Coverage
	c.AttributedPercent = w.attributedPercent()
	c.LostEvents = int64(w.closing.Totals.Lost - w.birth.lost)
	w.missSyscalls()
	w.missEntrypoints()
	if w.birth.cut > 0 {
		w.miss("%d events beyond the first %d", w.birth.cut, eventsMax)
	}
	if w.config.WithoutAPI {
		w.miss("no API server: scheduling, images and readiness were not heard")
	}
	if _, _, failing := w.seen.pod.failing(); failing && w.seen.pod.Phase != "Failed" && !w.seen.pod.Deleted {
		w.miss("the kubelet's later attempts: it keeps trying")
	}
	if c.LostEvents > 0 {
		w.miss("%d events were lost on the node while this birth lasted", c.LostEvents)
	}
	c.Missing = w.missing
	w.spec.Complete = len(c.Missing) == 0 && c.AttributedPercent == "100.0"
}

func (w *writer) missSyscalls() {
	armed := w.closing.ArmedAt
	if armed == 0 {
		w.miss("system calls, mounts, namespaces and listening sockets were not heard")
		return
	}
	late := 0
	for _, s := range w.steps {
		if s.opened < armed {
			late++
		}
	}
	if late > 0 {
		w.miss("system calls up to %s: hearing them began after %d processes of the birth", Duration(w.offset(armed)), late)
	}
}

func (w *writer) missEntrypoints() {
	ran := map[string]bool{}
	for _, m := range w.spec.Milestones.Containers {
		ran[m.Name] = m.EntrypointExec != nil
	}
	refused := w.refused()
	for _, c := range w.seen.pod.Containers {
		if _, known := refused[c.Name]; (c.Running || c.Ended != nil) && !ran[c.Name] && !known {
			w.miss("the entrypoint of container %s", c.Name)
		}
	}
	if w.spec.Milestones.SandboxStarted == nil && w.hasSandbox() {
		w.miss("the start of the sandbox")
	}
}

func (w *writer) hasSandbox() bool {
	for _, s := range w.steps {
		if s.role == event.RoleRuntime && s.who.Sandbox {
			return true
		}
	}
	return false
}

// attributedPercent is the share of the node's session events since the birth
// began whose session has been named.
func (w *writer) attributedPercent() string {
	total := w.closing.Totals.Heard.Total() - w.birth.heard.Total()
	named := w.closing.Totals.Heard.Attributed - w.birth.heard.Attributed
	if total == 0 || named >= total {
		return "100.0"
	}
	// Rounded down: 100.0 means all.
	return fmt.Sprintf("%.1f", float64(named*1000/total)/10)
}

// bound keeps the spec within its size by cutting the timeline's end.
func bound(s *v1alpha1.PodBirthCertificateSpec) {
	for len(s.Timeline) > 0 {
		raw, err := json.Marshal(s)
		if err != nil || len(raw) <= sizeMax {
			return
		}
		s.Timeline = s.Timeline[:len(s.Timeline)-1]
	}
}
