// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// event is one line of go test -json (see go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

// errNoTests says that a stage has nothing to run, which must not look like success.
var errNoTests = errors.New("there are no tests in it")

// goTest runs go test with the arguments and the additional environment.
func goTest(ctx context.Context, env []string, args ...string) (result, error) {
	command := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	command.Env = append(os.Environ(), env...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return result{}, fmt.Errorf("go test: %w", err)
	}
	if err := command.Start(); err != nil {
		return result{}, fmt.Errorf("go test: %w", err)
	}
	collected, readErr := collect(out, os.Stdout)
	if err := command.Wait(); err != nil && collected.failed == 0 {
		return collected, fmt.Errorf("go test: %w", err)
	}
	if readErr == nil && collected.passed+collected.failed+collected.skipped == 0 {
		return collected, errNoTests
	}
	return collected, readErr
}

// collect counts the events of in. It shows one line for each package, and the
// output of what failed.
func collect(in io.Reader, show io.Writer) (result, error) {
	var counted result
	outputs := map[string][]string{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			_, _ = fmt.Fprintln(show, lines.Text())
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output":
			outputs[key] = append(outputs[key], e.Output)
		case "build-output":
			_, _ = io.WriteString(show, e.Output)
		case "pass", "fail", "skip":
			counted.add(e, outputs[key], show)
			delete(outputs, key)
		}
	}
	if err := lines.Err(); err != nil {
		return counted, fmt.Errorf("read the output of go test: %w", err)
	}
	return counted, nil
}

func (r *result) add(e event, output []string, show io.Writer) {
	if e.Test == "" {
		r.addPackage(e, output, show)
		return
	}
	name := strings.TrimSpace(e.Package + " " + e.Test)
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.failures = append(r.failures, name)
		_, _ = io.WriteString(show, strings.Join(output, ""))
	case "skip":
		r.skipped++
		r.skips = append(r.skips, name+": "+reason(output))
	}
}

// addPackage counts a package that failed without a failed test: it did not build, or it crashed.
func (r *result) addPackage(e event, output []string, show io.Writer) {
	if e.Action == "skip" { // no test files
		return
	}
	_, _ = fmt.Fprintf(show, "%-4s  %s  %.1fs\n", e.Action, e.Package, e.Elapsed)
	if e.Action != "fail" {
		return
	}
	_, _ = io.WriteString(show, strings.Join(output, ""))
	for _, failure := range r.failures {
		if strings.HasPrefix(failure, e.Package+" ") {
			return
		}
	}
	r.failed++
	r.failures = append(r.failures, e.Package)
}

// reason is what the test said last before it skipped.
func reason(output []string) string {
	for i := len(output) - 1; i >= 0; i-- {
		line := strings.TrimSpace(output[i])
		if line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			return line
		}
	}
	return "no reason given"
}
