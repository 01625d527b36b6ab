// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// runStages runs the stages in their order; one that is to run beside another begins
// with it, if both are chosen. The reports are in the order of the stages.
func runStages(ctx context.Context, chosen []stage) []report {
	reports := make([]report, len(chosen))
	begun := make([]bool, len(chosen))
	var group sync.WaitGroup
	for i, s := range chosen {
		if begun[i] {
			continue
		}
		for j, b := range chosen {
			if b.beside == s.name {
				begun[j] = true
				// What it needs is made ready before: two may not install packages at once.
				finish := beginStage(ctx, b)
				group.Go(func() { reports[j] = finish() })
			}
		}
		reports[i] = beginStage(ctx, s)()
	}
	group.Wait()
	return reports
}

// beginStage makes the stage ready and returns what runs it. It never stops the run:
// the other stages have something to say as well.
func beginStage(ctx context.Context, s stage) (finish func() report) {
	began := time.Now()
	fmt.Printf("\n=== %s: %s\n", s.name, s.purpose)
	r := report{stage: s.name}
	if ctx.Err() != nil {
		r.notRun = "interrupted"
	} else {
		r.notRun = s.ready(ctx)
	}
	return func() report {
		if r.notRun == "" {
			r.result, r.err = s.run(ctx)
		}
		r.took = time.Since(began)
		fmt.Printf("=== %s: %s in %s\n", s.name, r.verdict(), r.took.Round(time.Second/10))
		return r
	}
}

// both is true if the stages with these names are among those chosen.
func both(chosen []stage, names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		return !slices.ContainsFunc(chosen, func(s stage) bool { return s.name == name })
	})
}
