// SPDX-License-Identifier: Apache-2.0

// kubectl-gossip shows people what the kernel said of their pods; installed in
// the PATH it is kubectl gossip.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"

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
	os.Exit(execute(ctx, os.Args[1:], genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}))
}

func execute(ctx context.Context, args []string, streams genericiooptions.IOStreams) int {
	g := newGossip(streams)
	cmd := g.command()
	cmd.SetArgs(args)
	cmd.SetOut(streams.Out)
	cmd.SetErr(streams.ErrOut)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return g.code
	}
	if g.parsed {
		_, _ = fmt.Fprintf(streams.ErrOut, "kubectl gossip: %s\n", view.Clean(err.Error()))
		return exitFailure
	}
	_, _ = fmt.Fprintf(streams.ErrOut, "kubectl gossip: %s; see kubectl gossip --help\n", view.Clean(err.Error()))
	return exitUsage
}
