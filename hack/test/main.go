// SPDX-License-Identifier: Apache-2.0

// Command test runs the project's checks stage by stage and closes with a
// summary that names, loudly, whatever could not run on this machine.
//
// Usage: go run ./hack/test [STAGE...]. Without a stage it runs all of them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	chosen, err := choose(stages(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(2)
	}
	reports := make([]report, 0, len(chosen))
	for _, s := range chosen {
		reports = append(reports, runStage(ctx, s))
	}
	if !summarize(os.Stdout, reports) {
		os.Exit(1)
	}
}

// choose returns the stages with the given names, in their own order; all without a name.
func choose(all []stage, names []string) ([]stage, error) {
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, s := range all {
		known = append(known, s.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no stage is named %s; there are: %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(all, func(s stage) bool { return !slices.Contains(names, s.name) }), nil
}

// runStage never stops the run: the other stages have something to say as well.
func runStage(ctx context.Context, s stage) report {
	began := time.Now()
	fmt.Printf("\n=== %s: %s\n", s.name, s.purpose)
	r := report{stage: s.name}
	if ctx.Err() != nil {
		r.notRun = "interrupted"
	} else if reason := s.ready(ctx); reason != "" {
		r.notRun = reason
	} else {
		r.result, r.err = s.run(ctx)
	}
	r.took = time.Since(began)
	fmt.Printf("=== %s: %s in %s\n", s.name, r.verdict(), r.took.Round(time.Second/10))
	return r
}
