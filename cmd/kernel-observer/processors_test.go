// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"
	"runtime"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/cost"
)

func TestProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	t.Setenv("GOMAXPROCS", "3")
	if limitProcessors() || runtime.GOMAXPROCS(0) != before {
		t.Error("GOMAXPROCS was set, and has no effect")
	}
	t.Setenv("GOMAXPROCS", "")
	if !limitProcessors() || runtime.GOMAXPROCS(0) != 1 {
		t.Errorf("%d processors", runtime.GOMAXPROCS(0))
	}
	var o options
	r := replaying{newKeeper(&o, slog.New(slog.DiscardHandler))}
	for part, want := range map[cost.Part]int{cost.PartReplay: 2, cost.PartSampling: 1} {
		r.Charge(part, func() {
			if got := runtime.GOMAXPROCS(0); got != want {
				t.Errorf("%s: %d processors, want %d", part, got, want)
			}
		})
	}
	if got := runtime.GOMAXPROCS(0); got != 1 {
		t.Errorf("%d processors afterwards", got)
	}
}
