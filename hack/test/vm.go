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
	"slices"
	"strings"
)

const nodeVM = "hack/cluster/vmnode/node-vm.sh"

// guest is a node in a virtual machine.
type guest struct{ number, kernel, systemd string }

// guests are node2 with the oldest kernel and the kubelet's own cgroup driver, and node3 with
// the newest and systemd, or the one that KG_VM_NODES names. They run one after the other: each
// has one emulated processor, and two at once starve each other and the cluster on two
// processors.
func guests() []guest {
	all := []guest{{"2", "5.10", ""}, {"3", "sid", "1"}}
	named := os.Getenv("KG_VM_NODES")
	return slices.DeleteFunc(all, func(g guest) bool { return named != "" && named != g.node() })
}

func (g guest) node() string { return "node" + g.number }

func (g guest) env() []string {
	return []string{"KG_VM_NUMBER=" + g.number, "KG_VM_KERNEL=" + g.kernel, "KG_VM_SYSTEMD=" + g.systemd}
}

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
	for _, g := range guests() {
		var said strings.Builder
		command := exec.CommandContext(ctx, nodeVM, "fetch")
		command.Env = append(os.Environ(), g.env()...)
		command.Stderr = io.MultiWriter(os.Stderr, &said)
		if err := command.Run(); err != nil {
			return scriptError(said.String(), err)
		}
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

// virtualMachines runs the tests of the nodes in virtual machines. It takes down
// again what it started: the machines, and the one-node cluster if it was not there.
func virtualMachines(ctx context.Context) (collected result, err error) {
	after, goesOn := context.WithoutCancel(ctx), true // also after an interrupt
	if exec.CommandContext(ctx, node, "env").Run() != nil {
		goesOn = false
		defer func() { err = errors.Join(err, run(after, node, "down")) }()
	}
	if err := run(ctx, node, "up"); err != nil {
		return result{}, fmt.Errorf("start the one-node cluster: %w", err)
	}
	env, err := nodeEnv(ctx)
	if err != nil {
		return result{}, err
	}
	restore, err := deployUnbudgeted(ctx, env)
	if err != nil {
		return result{}, err
	}
	if goesOn {
		defer func() { err = errors.Join(err, restore(after)) }()
	}
	for _, g := range guests() {
		one, failure := g.test(ctx, env)
		collected.add(one)
		err = errors.Join(err, failure)
	}
	return collected, err
}

// test brings the machine up, runs the tests on its node, and takes it down again.
func (g guest) test(ctx context.Context, env []string) (collected result, err error) {
	const archive = "build/images/kernel-observer.tar"
	defer func() { err = errors.Join(err, runIn(context.WithoutCancel(ctx), g.env(), nodeVM, "down")) }()
	if err := runIn(ctx, g.env(), nodeVM, "up", archive); err != nil {
		return result{}, fmt.Errorf("start %s in a virtual machine: %w", g.node(), err)
	}
	if err := runIn(ctx, env, "bash", "-c", "kubectl --namespace kernel-gossip rollout status daemonset/kernel-observer --timeout=10m"); err != nil {
		return result{}, fmt.Errorf("wait for the observer on %s: %w", g.node(), err)
	}
	env = append(slices.Clip(env), "KG_TEST_STAGE=e2e", "KG_VM_NODES="+g.node())
	return testTwice(ctx, env, "^TestVM$", "./test/e2e/")
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
