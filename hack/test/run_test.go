// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"testing"
	"time"
)

// A stage begins with the one that it runs beside, and has its report in its own place;
// alone it runs as any other.
func TestStagesBesideOthers(t *testing.T) {
	together := make(chan struct{})
	meet := func(context.Context) (result, error) {
		select {
		case together <- struct{}{}:
		case <-together:
		case <-time.After(10 * time.Second):
			return result{failed: 1}, nil
		}
		return result{passed: 1}, nil
	}
	pass := func(context.Context) (result, error) { return result{passed: 1}, nil }
	all := []stage{
		{name: "first", ready: always, run: pass},
		{name: "waits", ready: always, run: meet},
		{name: "next", ready: always, run: pass},
		{name: "computes", ready: always, run: meet, beside: "waits"},
	}
	for i, r := range runStages(t.Context(), all) {
		if r.stage != all[i].name || r.verdict() != "passed" || r.result.passed != 1 {
			t.Errorf("%d: %+v", i, r)
		}
	}
	all[3].run = pass
	if alone := runStages(t.Context(), all[3:]); len(alone) != 1 || alone[0].result.passed != 1 {
		t.Errorf("alone: %+v", alone)
	}
}

// What it needs is made ready before the other begins, and what cannot run says why.
func TestStagesBesideOthersAreReadyFirst(t *testing.T) {
	ready := false
	all := []stage{
		{name: "waits", ready: always, run: func(context.Context) (result, error) {
			if !ready {
				return result{failed: 1}, nil
			}
			return result{passed: 1}, nil
		}},
		{name: "computes", ready: func(context.Context) string { ready = true; return "no emulator" }, beside: "waits"},
	}
	reports := runStages(t.Context(), all)
	if reports[0].failed() || reports[1].verdict() != "NOT RUN" || reports[1].notRun != "no emulator" {
		t.Errorf("%+v", reports)
	}
}
