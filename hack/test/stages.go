// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const (
	node = "hack/cluster/node"
	// figuresFile is where the end-to-end tests leave what they measured.
	figuresFile = "build/e2e-figures.txt"
)

// stage is one heading of the run. ready returns why the stage cannot run here, or
// nothing; a stage that cannot run is reported, never passed over.
type stage struct {
	name, purpose string
	ready         func(context.Context) string
	run           func(context.Context) (result, error)
	// beside names a stage that leaves processors idle. If both are chosen, this one
	// begins with it; else it runs in its own turn.
	beside string
}

// stages are ordered by how soon they tell something.
func stages(c *cluster) []stage {
	return []stage{
		{name: "unit", purpose: "Go tests that need neither root nor a cluster", ready: always, run: unit},
		{name: "generate-check", purpose: "generated files are what their sources give", ready: always, run: script("hack/tools/generate-check.sh"), beside: "unit"},
		{name: "lint", purpose: "linters and formatters", ready: always, run: script("hack/tools/lint.sh"), beside: "unit"},
		{name: "bpf", purpose: "eBPF programs on this kernel", ready: bpfReady, run: kernel},
		{name: "demo", purpose: "make demo: real workloads heard without a cluster, and checked", ready: bpfReady, run: script("hack/demo/run.sh")},
		{name: "api", purpose: "resources against a real etcd and API server", ready: packageReady("./test/api/..."), run: api},
		{name: "browser", purpose: "traces in a trace viewer, pictures as Chromium draws them", ready: packageReady("./test/browser/..."), run: browser},
		{name: "e2e", purpose: "both components on a node", ready: e2eReady, run: c.endToEnd},
		{
			name: "vm", purpose: "births by runc and crun and a throttled pod on a node with cgroup v2, in a virtual machine",
			ready: vmReady, run: virtualMachines,
		},
		{name: "kernels", purpose: "eBPF programs on other kernels, in virtual machines", ready: kernelsReady, run: kernelMatrix},
	}
}

func unit(ctx context.Context) (result, error) {
	packages, err := goList(ctx, "./...")
	if err != nil {
		return result{}, err
	}
	var plain []string
	for _, p := range packages {
		if !strings.Contains(p, "/kernel-gossip/test/") {
			plain = append(plain, p)
		}
	}
	return goTest(ctx, nil, plain...)
}

func kernel(ctx context.Context) (result, error) {
	if err := run(ctx, "hack/test/prepare-bpf.sh"); err != nil {
		return result{}, fmt.Errorf("prepare: %w", err)
	}
	return stageTest(ctx, "bpf")
}

func browser(ctx context.Context) (result, error) {
	if err := run(ctx, "hack/test/prepare-browser.sh"); err != nil {
		return result{}, fmt.Errorf("prepare: %w", err)
	}
	return stageTest(ctx, "browser")
}

func api(ctx context.Context) (result, error) {
	if err := run(ctx, node, "build"); err != nil {
		return result{}, fmt.Errorf("build etcd and the API server: %w", err)
	}
	bin, err := output(ctx, node, "bin")
	if err != nil {
		return result{}, err
	}
	return stageTest(ctx, "api", "KG_NODE_BIN="+bin)
}

// showFigures prints what the end-to-end tests measured, also where one failed.
func showFigures() {
	if figures, err := os.ReadFile(figuresFile); err == nil {
		fmt.Printf("\n%s(kept in %s)\n", figures, figuresFile)
	}
}

// stageTime bounds the tests of one package. On a slow machine the end-to-end tests take
// most of half an hour.
const stageTime = "60m"

// stageTest runs the tests of one directory below test/, which skip unless they
// are told that their stage has been prepared. Those that fail have a second try.
func stageTest(ctx context.Context, name string, env ...string) (result, error) {
	return testTwice(ctx, append(env, "KG_TEST_STAGE="+name), ".", "./test/"+name+"/...")
}

// script is a stage that is one program; it counts as one test.
func script(path string) func(context.Context) (result, error) {
	return func(ctx context.Context) (result, error) {
		if err := run(ctx, path); err != nil {
			return result{}, fmt.Errorf("%s: %w", path, err)
		}
		return result{passed: 1}, nil
	}
}

func run(ctx context.Context, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return command.Run()
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

func goList(ctx context.Context, pattern string) ([]string, error) {
	out, err := output(ctx, "go", "list", pattern)
	return strings.Fields(out), err
}
