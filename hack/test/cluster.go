// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// atOnce is how many of the parallel end-to-end tests run at a time: what they do most
// is to wait for the kubelet, and with one a processor those stand idle.
const atOnce = "-parallel=4"

// cluster is the one-node cluster, where the run started it.
type cluster struct {
	// keep leaves it up for a later stage; whoever sets it calls end.
	keep bool
	ours bool // it was not there, and is still up
}

// end takes down what was kept, also after an interrupt.
func (c *cluster) end(ctx context.Context) error {
	if !c.ours {
		return nil
	}
	c.ours = false
	return run(context.WithoutCancel(ctx), node, "down")
}

// begin starts it, or uses the one that is up, and returns how it is reached.
func (c *cluster) begin(ctx context.Context) (env []string, err error) {
	c.ours = exec.CommandContext(ctx, node, "env").Run() != nil
	if err := run(ctx, node, "up"); err != nil {
		return nil, fmt.Errorf("start the one-node cluster: %w", err)
	}
	return nodeEnv(ctx)
}

// endToEnd uses the cluster of KUBECONFIG if it is set, else the one-node cluster,
// which it takes down again if it started it and no later stage needs it.
func (c *cluster) endToEnd(ctx context.Context) (collected result, err error) {
	env := []string{}
	if os.Getenv("KUBECONFIG") == "" {
		env, err = c.begin(ctx)
		if !c.keep {
			defer func() { err = errors.Join(err, c.end(ctx)) }()
		}
		if err != nil {
			return result{}, err
		}
	}
	// Its first figures take a quarter of a minute.
	metrics := make(chan error, 1)
	go func() { metrics <- run(ctx, "hack/test/metrics-server.sh") }()
	restore, err := deployUnbudgeted(ctx, env)
	unmeasured := <-metrics
	if err != nil {
		return result{}, err
	}
	if !c.ours {
		defer func() { err = errors.Join(err, restore(context.WithoutCancel(ctx))) }()
	}
	if unmeasured != nil {
		return result{}, fmt.Errorf("start metrics-server: %w", unmeasured)
	}
	_ = os.Remove(figuresFile) // of an earlier run, if there was one
	defer showFigures()
	return testTwice(ctx, append(env, "KG_TEST_STAGE=e2e"), ".", "./test/e2e/...", atOnce)
}
