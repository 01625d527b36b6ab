// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/hack/kernels"
)

// kernelsFile is where the kernel matrix leaves its table.
const kernelsFile = "build/kernels.md"

func kernelsReady(ctx context.Context) string {
	if reason := packageReady("./test/bpf/...")(ctx); reason != "" {
		return reason
	}
	if runtime.GOARCH != "amd64" {
		return "the kernels of the matrix are those of amd64"
	}
	if err := kernels.Prepare(ctx); err != nil {
		return err.Error()
	}
	return ""
}

// kernelMatrix runs the matrix. Linux 7.x leaves out runs of preempted programs,
// and so can leave out the one event that a test waits for (docs/reference/kernels.md):
// if tests failed there and nowhere else, the matrix runs once more, and that counts.
func kernelMatrix(ctx context.Context) (result, error) {
	counted, err := runMatrix(ctx)
	if err != nil || len(counted.failures) == 0 {
		return counted, err
	}
	for _, name := range counted.failures {
		if !strings.HasPrefix(name, "linux-7.") {
			return counted, nil
		}
	}
	fmt.Printf("\n!!! SECOND TRY of the matrix: on Linux 7.x alone these failed: %s\n", strings.Join(counted.failures, ", "))
	return runMatrix(ctx)
}

// runMatrix runs the tests of the bpf stage in virtual machines. There is
// nothing that a machine of ours may lack, so a test that is skipped has failed.
func runMatrix(ctx context.Context) (result, error) {
	events, to := io.Pipe()
	go func() { to.CloseWithError(kernels.Run(ctx, to, kernelsFile)) }()
	counted, err := collect(events, os.Stdout)
	// Whoever still writes must not wait for a reader that has gone.
	_ = events.CloseWithError(io.ErrClosedPipe)
	if table, readErr := os.ReadFile(kernelsFile); err == nil && readErr == nil {
		fmt.Printf("\n%s(kept in %s)\n", table, kernelsFile)
	}
	if err == nil && counted.skipped > 0 {
		err = fmt.Errorf("%d tests were skipped, and none may be in a machine of our own", counted.skipped)
	}
	return counted, err
}
