// SPDX-License-Identifier: Apache-2.0

//go:build !bare

package bpf

import (
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// Kernels before 5.6 know no global functions: their verifier follows each from all
// places that call it, and ends after a million instructions. This kernel does the same
// with functions that are said to be static, and should have far to go to that end: one
// of 6.1 sees more differences between two paths, and got there in sys_exit.
func TestLadderOfStaticFunctions(t *testing.T) {
	needKernel(t)
	const most = 1_000_000 / 5
	name := map[string]string{"amd64": "x86", "arm64": "arm64"}[runtime.GOARCH]
	spec, err := ebpf.LoadCollectionSpec("../../internal/probe/observerold_" + name + "_bpfel.o")
	if err != nil {
		t.Fatal(err)
	}
	delete(spec.Programs, "read_counters") // of Linux 5.10, and loaded where programs can be run only
	functions := 0
	for _, prog := range spec.Programs {
		for i := range prog.Instructions {
			if f := btf.FuncMetadata(&prog.Instructions[i]); f != nil {
				f.Linkage = btf.StaticFunc
				functions++
			}
		}
	}
	all, err := ebpf.NewCollection(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	for name, prog := range all.Programs {
		info, err := prog.Info()
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := info.VerifiedInstructions(); ok && n > most {
			t.Errorf("%s: the verifier looked at %d instructions", name, n)
		} else if n > most/10 {
			t.Logf("%s: the verifier looked at %d instructions", name, n)
		}
	}
	if functions <= len(spec.Programs) {
		t.Errorf("%d functions in %d programs", functions, len(spec.Programs))
	}
}
