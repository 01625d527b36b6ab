// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// A whisper says what the kernel does not let it tell.
func TestMissing(t *testing.T) {
	for without, want := range map[string][]string{"": nil, "test_run": {"cpu.stat", "whom it hurt"}, "tp_btf": {"whom it hurt"}, "sys_exit": nil} {
		var names []string
		if without != "" {
			names = []string{without}
		}
		taken, err := hooks.ParseWithout(names)
		if err != nil {
			t.Fatal(err)
		}
		plan := hooks.Choose(hooks.Offer{}, taken)
		c := Config{Plan: func() hooks.Plan { return plan }}
		got := c.missing()
		if len(got) != len(want) {
			t.Errorf("without %q: %q", without, got)
			continue
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("without %q: %q, want %q", without, got[i], want[i])
			}
		}
	}
}
