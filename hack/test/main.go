// SPDX-License-Identifier: Apache-2.0

// Command test runs the project's checks stage by stage and closes with a
// summary that names, loudly, whatever could not run on this machine.
//
// Usage: go run ./hack/test [STAGE...]. Without a stage it runs all of them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compileAlike(); err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(2)
	}
	c := &cluster{}
	chosen, err := choose(stages(c), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(2)
	}
	c.keep = both(chosen, "e2e", "vm")
	reports := runStages(ctx, chosen)
	if err := c.end(ctx); err != nil {
		reports = append(reports, report{stage: "cluster", err: fmt.Errorf("take down the one-node cluster: %w", err)})
	}
	if !summarize(os.Stdout, reports) {
		os.Exit(1)
	}
}

// compileAlike has all stages compile in the way of the images (hack/images/build.sh):
// what one has compiled the others find in Go's cache.
func compileAlike() error {
	return errors.Join(os.Setenv("CGO_ENABLED", "0"), os.Setenv("GOFLAGS", strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath")))
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
