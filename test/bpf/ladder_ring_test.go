// SPDX-License-Identifier: Apache-2.0

//go:build !bare

package bpf

import (
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
)

// ofRing is a line of the verifier's about a pointer to the ring that comes from the stack.
var ofRing = regexp.MustCompile(`^\d+: \(79\) r\d = \*\(u64 \*\)\(r10 -\d+\)\s+; R\d(?:_\w+)?=(?:alloc_mem|ringbuf_mem|mem)\(`)

// The verifier of Linux 5.8 forgets a pointer to the ring's memory that lies on the stack
// (is_spillable_regtype there does not name it), and refuses what is then written by it: none
// lies there. Where joins are inferred programs are the longest.
func TestLadderOfForgottenRing(t *testing.T) {
	needKernel(t)
	arch := map[string]string{"amd64": "x86", "arm64": "arm64"}[runtime.GOARCH]
	seen := false
	for _, object := range []string{"probe/observer_", "probe/observerraw_", "probe/bursts/bursts_"} {
		spec, err := ebpf.LoadCollectionSpec("../../internal/" + object + arch + "_bpfel.o")
		if err != nil {
			t.Fatal(err)
		}
		if v := spec.Variables["kg_infers"]; v != nil {
			if err := v.Set(uint32(1)); err != nil {
				t.Fatal(err)
			}
		}
		delete(spec.Programs, "cgroup_mkdir_record") // 5.8 has not what it reads: there is no such rung
		for name := range spec.Programs {
			for line := range strings.Lines(loadsAlone(t, spec, name)) {
				seen = seen || strings.Contains(line, "mem(") && strings.Contains(line, "ref_obj_id=")
				if ofRing.MatchString(line) {
					t.Errorf("%s of %s: %s", name, object, line)
					break
				}
			}
		}
	}
	if !seen {
		t.Error("no pointer to the ring was seen: the test sees nothing")
	}
}
