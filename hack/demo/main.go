// SPDX-License-Identifier: Apache-2.0

// demo hears two real workloads that it starts itself, in their own namespaces
// and cgroups: one is born, one runs into its CPU limit. It prints what was
// heard and holds it against what the kernel's own files say. It needs root and
// BPF, and no cluster and no container runtime: a very small runtime of its own
// (runtime.go) plays that part.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// limit on the whole demo: nothing in it may hang.
const limit = 60 * time.Second

func main() {
	if err := dispatch(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

// dispatch: without arguments the demo itself; with some, one of the processes
// that it starts.
func dispatch(args []string) error {
	if len(args) == 0 {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return demo(ctx)
	}
	switch args[0] {
	case "create":
		return create(args[1:])
	case "init":
		return becomeContainer(args[1:])
	case "listen":
		return listen()
	case "spin":
		spin()
		return nil
	}
	return errors.New("unknown argument: run it without any")
}

func demo(ctx context.Context) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("root is needed to hear the kernel: run it with sudo")
	}
	stage, err := newStage()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.clear()) }()
	ears, err := startListening(ctx, runtimeName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ears.close()) }()
	if err := hearBirth(ctx, stage, ears); err != nil {
		return err
	}
	return hearThrottling(ctx, stage, ears)
}
