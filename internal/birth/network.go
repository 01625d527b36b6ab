// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"slices"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// networkPhases span, of each sandbox, from the network namespace (or the first
// plugin) to the end of the last plugin; each plugin has one of its own within. Between
// two sandboxes the kubelet gave up the one and tried again.
func (w *writer) networkPhases() {
	var before uint64
	for i, sandbox := range w.sandboxes() {
		from, to, last := w.networkOf(sandbox)
		if i > 0 {
			w.phase("SandboxRetry", "", "", before, from)
		}
		before = last
		if to == 0 {
			continue
		}
		var parts []part
		for _, s := range w.pluginsOf(sandbox) {
			parts = append(parts, part{step: s})
		}
		w.phase("Network", "", "", from, to, parts...)
	}
	for _, s := range w.steps {
		if s.role == event.RoleCNI && s.exited != 0 {
			w.phase("CNIPlugin", "", s.file, s.opened, s.exited, part{step: s})
		}
	}
}

// sandboxes are the ids of the sandboxes that were heard of, in order.
func (w *writer) sandboxes() []string {
	var ids []string
	for _, s := range w.steps {
		if id := s.who.ContainerID; (s.role == event.RoleCNI || s.who.Sandbox) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (w *writer) pluginsOf(sandbox string) []*step {
	var plugins []*step
	for _, s := range w.steps {
		if s.role == event.RoleCNI && s.who.ContainerID == sandbox {
			plugins = append(plugins, s)
		}
	}
	return plugins
}

// networkOf is when the first sign of a sandbox was, when its last plugin ended (0
// where it has none), and when the last was heard that made it.
func (w *writer) networkOf(sandbox string) (from, to, last uint64) {
	for _, e := range w.birth.events {
		if e.Kind == event.NetnsBind && e.Who.ContainerID == sandbox {
			from = e.Time
			break
		}
	}
	for _, s := range w.steps {
		if s.who.ContainerID != sandbox {
			continue
		}
		if from == 0 || s.opened < from {
			from = s.opened
		}
		last = max(last, s.opened, s.exited, s.entrypointExit)
		if s.role == event.RoleCNI {
			to = max(to, s.exited)
		}
	}
	return from, to, last
}
