// SPDX-License-Identifier: Apache-2.0

// kernel-observer listens on one node and writes what it hears: birth
// certificates of pods and whispers of throttled containers.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:]))
}

func execute(ctx context.Context, args []string) int {
	var o options
	cmd := newCommand(&o)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	switch {
	case err == nil:
		return o.code
	case o.parsed:
		fmt.Fprintf(os.Stderr, "kernel-observer: %v\n", err)
		return exitFailure
	}
	fmt.Fprintf(os.Stderr, "kernel-observer: %v; see kernel-observer --help\n", err)
	return exitUsage
}
