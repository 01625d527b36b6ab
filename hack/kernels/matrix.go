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
	"strings"
	"sync"
)

// machine is one row of the matrix: a kernel and how its cgroups are mounted.
type machine struct {
	suite, version, file string
	// v1 mounts the cpu controller as cgroup v1, beside an empty v2 hierarchy.
	v1 bool
}

func (m machine) cgroup() string {
	if m.v1 {
		return "v1"
	}
	return "v2"
}

// name is what stands for the package in events.
func (m machine) name() string { return "linux-" + m.version + "/cgroup-" + m.cgroup() }

// Debian's suites, by the kernels that they bring: 5.10, 6.1, 6.12 and the newest.
var suites = []string{"bullseye", "bookworm", "trixie", "sid"}

// The oldest kernel is also where cgroup v1 is most likely to be met.
const v1Suite = "bullseye"

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
	command := exec.CommandContext(ctx, "hack/kernels/prepare.sh", suites...)
	command.Stderr = io.MultiWriter(os.Stderr, &said)
	out, err := command.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return nil, fmt.Errorf("prepare the kernels: %s (%w)", why(lines), err)
	}
	var found []machine
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	for lines.Scan() {
		var m machine
		if _, err := fmt.Sscan(lines.Text(), &m.suite, &m.version, &m.file); err != nil {
			return nil, fmt.Errorf("prepare the kernels: read %q: %w", lines.Text(), err)
		}
		found = append(found, m)
		if m.suite == v1Suite {
			m.v1 = true
			found = append(found, m)
		}
	}
	if len(found) != len(suites)+1 {
		return nil, fmt.Errorf("prepare the kernels: %d machines where %d were expected", len(found), len(suites)+1)
	}
	return found, nil
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
// package, and a table of the results to the file. An error says that the
// matrix could not run; tests that fail are among the events.
func Run(ctx context.Context, events io.Writer, table string) error {
	matrix, err := prepare(ctx)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "kernels-")
	if err != nil {
		return fmt.Errorf("make a working directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	tests, err := build(ctx, work)
	if err != nil {
		return err
	}
	to := &lineWriter{to: events}
	rows, failures := make([]row, len(matrix)), make([]error, len(matrix))
	places := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for i, m := range matrix {
		group.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			rows[i], failures[i] = runMachine(ctx, m, work, tests, to)
		})
	}
	group.Wait()
	return errors.Join(append(failures, writeTable(table, rows))...)
}

const (
	testFile  = "bpf.test"
	imageFile = "initramfs"
)

// build compiles the tests, packs the machines' file system, and returns the
// names of the tests.
func build(ctx context.Context, work string) ([]string, error) {
	binary := filepath.Join(work, testFile)
	compile := exec.CommandContext(ctx, "go", "test", "-tags", "bare", "-c", "-o", binary, "./test/bpf")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64")
	if out, err := compile.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile the tests: %w: %s", err, out)
	}
	pack := exec.CommandContext(ctx, "hack/kernels/image.sh", binary, filepath.Join(work, imageFile))
	if out, err := pack.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pack the machines' file system: %w: %s", err, out)
	}
	list, err := exec.CommandContext(ctx, binary, "-test.list", "^Test").Output()
	if err != nil {
		return nil, fmt.Errorf("list the tests: %w", err)
	}
	return strings.Fields(string(list)), nil
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
