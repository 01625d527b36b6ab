// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// build compiles the tests and packs the machines' file system, for each
// architecture of the matrix, and returns the names of the tests.
func build(ctx context.Context, matrix []machine, work string) ([]string, error) {
	done := map[string]bool{}
	for _, m := range matrix {
		if done[m.architecture()] {
			continue
		}
		done[m.architecture()] = true
		if err := buildFor(ctx, m, work); err != nil {
			return nil, err
		}
	}
	list := exec.CommandContext(ctx, "go", "test", "-tags", "bare", "-list", "^Test", "./test/bpf")
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list the tests: %w", err)
	}
	var tests []string
	for name := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(name, "Test") {
			tests = append(tests, name)
		}
	}
	return tests, nil
}

func buildFor(ctx context.Context, m machine, work string) error {
	binary, observer := filepath.Join(work, "bpf.test"), ""
	if err := compile(ctx, m, "test", "-tags", "bare", "-ldflags=-s -w", "-c", "-o", binary, "./test/bpf"); err != nil {
		return fmt.Errorf("compile the tests: %w", err)
	}
	tools := ""
	if m.foreign() {
		tools = filepath.Join(filepath.Dir(m.file), "tools")
	}
	if m.examined() {
		observer = filepath.Join(work, "kernel-observer")
		if err := compile(ctx, m, "build", "-trimpath", "-ldflags=-s -w", "-o", observer, "./cmd/kernel-observer"); err != nil {
			return fmt.Errorf("compile the observer: %w", err)
		}
	}
	pack := exec.CommandContext(ctx, "hack/kernels/image.sh", binary, observer, m.image(work), tools)
	pack.Env = append(os.Environ(), "KG_IMAGE_BTF="+m.types)
	if out, err := pack.CombinedOutput(); err != nil {
		return fmt.Errorf("pack the machines' file system: %w: %s", err, out)
	}
	return nil
}

func compile(ctx context.Context, m machine, arguments ...string) error {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+m.architecture())
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
