// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/run"
)

// A program is the same where it is run as a filter of packets (Linux 5.8 and 5.9): it is
// called by one that hands it what it is asked for.
func TestAFilterCallsTheProgram(t *testing.T) {
	_, raw, _ := specs(t)
	for _, name := range []string{"read_cgroup", "read_counters"} {
		of := raw.Programs[name]
		before := len(of.Instructions)
		out, err := run.Way{Filter: true}.Spec(of)
		if err != nil {
			t.Fatal(err)
		}
		if out.Type != ebpf.SocketFilter || len(out.Instructions) != before+8 || len(of.Instructions) != before || of.Type != ebpf.RawTracepoint {
			t.Errorf("%s: %v of %d instructions, made of %v with %d", name, out.Type, len(out.Instructions), of.Type, len(of.Instructions))
		}
		if f := btf.FuncMetadata(&of.Instructions[0]); f.Linkage != btf.GlobalFunc {
			t.Errorf("%s: the program itself was changed: %v", name, f)
		}
		if same, err := (run.Way{}).Spec(of); same != of || err != nil {
			t.Errorf("%s: %v, %v", name, same, err)
		}
	}
}

// Both ways read the same of the root cgroup and its children.
func TestBothWaysRead(t *testing.T) {
	_ = rlimit.RemoveMemlock() // needed up to 5.10 only
	var roots [2]observerKgCgroupRecord
	for i, way := range []hooks.Way{hooks.TestRun, hooks.Filter} {
		if err := run.By(way).Works(); errors.Is(err, fs.ErrPermission) {
			t.Skip("needs root and BPF: make test as root runs it, and make test-bpf the first of both ways")
		} else if err != nil {
			t.Skipf("this kernel has only one of both ways, so that nothing can be compared; the programs of that one are held against cpu.stat by make test-bpf: %v", err)
		}
		p := &Probe{offered: look(""), failed: map[rung]string{}}
		if way == hooks.Filter {
			p.failed[rung{hooks.Bandwidth, hooks.TestRun}] = "left out"
		}
		p.choose()
		if err := p.objects.open(hooks.RingBuffer, way); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		if err := p.prepare(); err != nil || p.plan.Way(hooks.Bandwidth) != way {
			t.Fatalf("%v, %v", err, p.failed)
		}
		root, err := p.readCgroup(0)
		if err != nil || root.Id == 0 {
			t.Fatalf("the root: %+v, %v", root, err)
		}
		roots[i] = root
		read := make([]event.Reading, 1)
		p.ReadGroups([]event.CgroupRef{{ID: root.Id, Pointer: root.Pointer}}, read)
		if read[0].Err != nil || read[0].Group.Shares == 0 {
			t.Errorf("its counters: %+v", read[0])
		}
	}
	if roots[0].Pointer != roots[1].Pointer || roots[0].Id != roots[1].Id {
		t.Errorf("one way reads %+v, the other one %+v", roots[0], roots[1])
	}
}
