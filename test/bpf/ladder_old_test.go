// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// What Linux 5.4 lacks, all at once: typed tracepoints, the ring buffer, and runs of
// programs for user space. What is left is held against the same accounts.
func TestLadderOfLinux54(t *testing.T) {
	needKernel(t)
	plan := onRungs(t, probe.Options{Without: without(t, "btf", "ringbuf", "test_run"), BTF: copyOfTypes(t)}).probe.Plan()
	want := map[hooks.Hook]hooks.Way{hooks.Events: hooks.PerfBuffer, hooks.Bandwidth: hooks.Files, hooks.Bursts: hooks.Off}
	for _, c := range plan {
		way, loses := want[c.Hook]
		switch {
		case loses:
		case probe.Preempts() && (c.Hook == hooks.Exec || c.Hook == hooks.Exit):
			way = hooks.Tracepoint // first there, and needs nothing that 5.4 lacks
		default:
			way = hooks.Raw
		}
		loses = loses || c.Way == hooks.Raw && c.Loses != "" && probe.Preempts() // Linux 7
		if c.Way != way || loses != (c.Loses != "") {
			t.Errorf("%s: %s, loses %q, want %s", c.Hook, c.Way, c.Loses, way)
		}
	}
	k := listen(t)
	if err := k.Walk(func(uint64, uint64, string) {}); !errors.Is(err, probe.ErrNoTestRun) {
		t.Errorf("walk: %v", err)
	}
	names := []string{"a container", "deeds", "system calls"}
	if slack == 1 {
		names = append(names, "an exec's thread", "born elsewhere", "children", "devices", "memory", "a wait")
	}
	for _, name := range names {
		t.Run(name, heldAgainst[name])
	}
}
