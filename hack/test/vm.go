// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

const (
	nodeVM = "hack/cluster/vmnode/node-vm.sh"
	vmNode = "node2"
)

// vmReady fetches what the virtual machine needs: where that cannot be had, the stage has not run.
func vmReady(ctx context.Context) string {
	if reason := packageReady("./test/e2e/...")(ctx); reason != "" {
		return reason
	}
	if os.Geteuid() != 0 {
		return "needs root for the one-node cluster, which the virtual machine joins"
	}
	if runtime.GOARCH != "amd64" {
		return "the virtual machine is one of amd64"
	}
	var said strings.Builder
	command := exec.CommandContext(ctx, nodeVM, "fetch")
	command.Stderr = io.MultiWriter(os.Stderr, &said)
	if err := command.Run(); err != nil {
		return scriptError(said.String(), err)
	}
	return ""
}

// scriptError is what a script called its error, or how it ended.
func scriptError(said string, err error) string {
	for line := range strings.Lines(said) {
		if text, ok := strings.CutPrefix(line, "error: "); ok {
			return strings.TrimSpace(text)
		}
	}
	return err.Error()
}

// virtualMachine runs the tests of the node in the virtual machine. It takes down
// again what it started: the machine, and the one-node cluster if it was not there.
func virtualMachine(ctx context.Context) (collected result, err error) {
	after := context.WithoutCancel(ctx) // also after an interrupt
	if exec.CommandContext(ctx, node, "env").Run() != nil {
		defer func() { err = errors.Join(err, run(after, node, "down")) }()
	}
	if err := run(ctx, node, "up"); err != nil {
		return result{}, fmt.Errorf("start the one-node cluster: %w", err)
	}
	env, err := nodeEnv(ctx)
	if err != nil {
		return result{}, err
	}
	if err := runIn(ctx, env, "hack/deploy/deploy.sh"); err != nil {
		return result{}, fmt.Errorf("deploy: %w", err)
	}
	defer func() { err = errors.Join(err, run(after, nodeVM, "down")) }()
	if err := run(ctx, nodeVM, "up", "build/images/kernel-observer.tar"); err != nil {
		return result{}, fmt.Errorf("start the virtual machine: %w", err)
	}
	if err := runIn(ctx, env, "bash", "-c", "kubectl --namespace kernel-gossip rollout status daemonset/kernel-observer --timeout=10m"); err != nil {
		return result{}, fmt.Errorf("wait for the observer on %s: %w", vmNode, err)
	}
	return goTest(ctx, append(env, "KG_TEST_STAGE=e2e", "KG_VM_NODE="+vmNode), "-count=1", "-timeout=40m", "-run=^TestVM$", "./test/e2e/")
}

// nodeEnv is the environment for talking to the one-node cluster.
func nodeEnv(ctx context.Context) ([]string, error) {
	lines, err := output(ctx, "bash", "-c", `eval "$(`+node+` env)" && printf 'KUBECONFIG=%s\nKG_NODE_BIN=%s\nPATH=%s' "$KUBECONFIG" "$KG_NODE_BIN" "$PATH"`)
	if err != nil {
		return nil, err
	}
	return strings.Split(lines, "\n"), nil
}

// runIn is run with an additional environment.
func runIn(ctx context.Context, env []string, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(os.Environ(), env...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return command.Run()
}
