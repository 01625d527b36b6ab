// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"

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

// kernelMatrix runs the tests of the bpf stage in virtual machines. There is
// nothing that a machine of ours may lack, so a test that is skipped has failed.
// Tests that failed have had their second try there (kernels.Run).
func kernelMatrix(ctx context.Context) (result, error) {
	events, to := io.Pipe()
	var unstable []string
	go func() {
		var err error
		unstable, err = kernels.Run(ctx, to, kernelsFile)
		to.CloseWithError(err)
	}()
	counted, err := collect(events, os.Stdout)
	// Whoever still writes must not wait for a reader that has gone.
	_ = events.CloseWithError(io.ErrClosedPipe)
	if err != nil {
		return counted, err
	}
	counted.unstable = unstable // what came before the end of the pipe
	if table, err := os.ReadFile(kernelsFile); err == nil {
		fmt.Printf("\n%s(kept in %s)\n", table, kernelsFile)
	}
	if counted.skipped > 0 {
		return counted, fmt.Errorf("%d tests were skipped, and none may be in a machine of our own", counted.skipped)
	}
	return counted, nil
}
