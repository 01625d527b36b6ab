// SPDX-License-Identifier: Apache-2.0

// Package kernels runs the tests of test/bpf on other kernels: in virtual
// machines without KVM, network or disk, with Debian's kernels.
package kernels

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// rows are the matrix: Debian's suites, by the kernels that they bring (5.10, 6.1,
// 6.12 and the newest), and how their machines are.
var rows = []machine{
	// The newest takes longest, and so is first.
	{suite: "sid", cpus: 2, whole: true},
	{suite: "bookworm-arm64", cpus: 1},
	{suite: "bullseye", cpus: 2, whole: true},
	// The oldest kernel is also where cgroup v1 is most likely to be met.
	{suite: "bullseye", cpus: 1, v1: true},
	{suite: "bookworm", cpus: 1},
	{suite: "trixie", cpus: 1},
	// Two virtual processors on one: what a hypervisor takes is taken for real.
	{suite: "bookworm-xen", cpus: 2},
}

// atOnce is how many machines run at the same time: more of them would slow
// each other down on the two processors of a small machine.
const atOnce = 2

// Prepare fetches the kernels and tools that are missing. It fails if this
// machine cannot have them; the error is one line.
func Prepare(ctx context.Context) error {
	_, err := prepare(ctx)
	return err
}

// prepare returns the matrix.
func prepare(ctx context.Context) ([]machine, error) {
	var said strings.Builder
	image, wanted := os.Getenv("KG_KERNEL_IMAGE"), suites()
	if image != "" {
		wanted = nil
	}
	command := exec.CommandContext(ctx, "hack/kernels/prepare.sh", wanted...)
	command.Stderr = io.MultiWriter(os.Stderr, &said)
	out, err := command.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return nil, fmt.Errorf("prepare the kernels: %s (%w)", why(lines), err)
	}
	if image != "" {
		return own(image, os.Getenv("KG_KERNEL_BTF"))
	}
	matrix := chosenRows()
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	for lines.Scan() {
		var suite, version, file string
		if _, err := fmt.Sscan(lines.Text(), &suite, &version, &file); err != nil {
			return nil, fmt.Errorf("prepare the kernels: read %q: %w", lines.Text(), err)
		}
		for i := range matrix {
			if matrix[i].suite == suite {
				matrix[i].version, matrix[i].file = version, file
			}
		}
	}
	for _, m := range matrix {
		if m.file == "" {
			return nil, fmt.Errorf("prepare the kernels: there is none of %s", m.suite)
		}
	}
	return matrix, nil
}

// chosenRows are those of amd64, and with KG_KERNELS_ARM64=1 those of arm64 instead: its
// emulation takes as long as all others together.
func chosenRows() []machine {
	foreign := os.Getenv("KG_KERNELS_ARM64") == "1"
	return slices.DeleteFunc(slices.Clone(rows), func(m machine) bool { return m.foreign() != foreign })
}

// suites of the matrix, each once.
func suites() []string {
	var all []string
	seen := map[string]bool{}
	for _, m := range chosenRows() {
		if !seen[m.suite] {
			seen[m.suite] = true
			all = append(all, m.suite)
		}
	}
	return all
}

// why is the script's own error, or its last words.
func why(lines []string) string {
	for _, line := range lines {
		if text, ok := strings.CutPrefix(line, "error: "); ok {
			return text
		}
	}
	return lines[len(lines)-1]
}

// Run boots every machine of the matrix and runs the tests in it. It writes
// what happens to events, in the form of go test -json with a machine for a
// package, and a table of the results to the file. Tests that failed and passed on
// a second try, in a machine just started, pass; their names are returned. An error
// says that the matrix could not run; tests that fail are among the events.
func Run(ctx context.Context, events io.Writer, table string) (unstable []string, err error) {
	matrix, err := prepare(ctx)
	if err != nil {
		return nil, err
	}
	if matrix, err = chosen(matrix, os.Getenv("KG_KERNELS")); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "kernels-")
	if err != nil {
		return nil, fmt.Errorf("make a working directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	tests, err := build(ctx, matrix, work)
	if err != nil {
		return nil, err
	}
	matrix = slices.DeleteFunc(matrix, func(m machine) bool { return m.onXen() && !m.runsAny(tests) })
	to := &lineWriter{to: events}
	ran, failures := make([]row, len(matrix)), make([]error, len(matrix))
	places := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for i, m := range matrix {
		places <- struct{}{} // in the order of the matrix
		group.Go(func() {
			defer func() { <-places }()
			ran[i], failures[i] = runMachine(ctx, m, work, tests, to)
		})
	}
	group.Wait()
	for _, r := range ran {
		unstable = append(unstable, r.unstable...)
	}
	return unstable, errors.Join(append(failures, writeTable(table, ran))...)
}

// chosen are the machines whose name has one of the words (KG_KERNELS, such as
// "5.10,arm64"), all without words.
func chosen(matrix []machine, words string) ([]machine, error) {
	if words == "" {
		return matrix, nil
	}
	var some []machine
	for _, m := range matrix {
		for word := range strings.SplitSeq(words, ",") {
			if word != "" && strings.Contains(m.name(), word) {
				some = append(some, m)
				break
			}
		}
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("KG_KERNELS=%s names none of the kernels", words)
	}
	return some, nil
}

// lineWriter keeps the lines of several writers whole.
type lineWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lineWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(line)
}

// image is the machine's file system.
func (m machine) image(work string) string {
	return filepath.Join(work, "initramfs-"+m.architecture())
}
