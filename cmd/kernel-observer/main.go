// SPDX-License-Identifier: Apache-2.0

// kernel-observer listens on one node and writes what it hears: birth
// certificates of pods and whispers of throttled containers.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Stderr))
}

// execute is the whole program; it returns the exit code. An error is one line.
func execute(ctx context.Context, args []string, stderr io.Writer) int {
	var o options
	cmd := newCommand(&o)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	switch {
	case err == nil:
		return o.code
	case o.parsed:
		_, _ = fmt.Fprintf(stderr, "kernel-observer: %s\n", view.Clean(err.Error()))
		return exitFailure
	}
	_, _ = fmt.Fprintf(stderr, "kernel-observer: %s; see kernel-observer --help\n", view.Clean(err.Error()))
	return exitUsage
}
