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
	"slices"
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

// collector counts what go test says.
type collector struct {
	result
	outputs map[string][]string // by package and test
	running map[string][]string // the tests that began and have not ended, by package
	took    map[string][]event  // the ends of the tests, by package
	show    io.Writer
}

// collect counts the events of in. It shows one line for each package, and the
// output of what failed.
func collect(in io.Reader, show io.Writer) (result, error) {
	c := collector{outputs: map[string][]string{}, running: map[string][]string{}, took: map[string][]event{}, show: show}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			_, _ = fmt.Fprintln(show, lines.Text())
			continue
		}
		c.hear(e)
	}
	if err := lines.Err(); err != nil {
		return c.result, fmt.Errorf("read the output of go test: %w", err)
	}
	return c.result, nil
}

func (c *collector) hear(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "run":
		c.running[e.Package] = append(c.running[e.Package], e.Test)
	case "output":
		c.outputs[key] = append(c.outputs[key], e.Output)
	case "build-output":
		_, _ = io.WriteString(c.show, e.Output)
	case "pass", "fail", "skip":
		output := c.outputs[key]
		delete(c.outputs, key)
		if e.Test == "" {
			c.addPackage(e, output)
			return
		}
		c.running[e.Package] = slices.DeleteFunc(c.running[e.Package], func(test string) bool { return test == e.Test })
		c.took[e.Package] = append(c.took[e.Package], e)
		c.add(e, output)
	}
}

func (c *collector) add(e event, output []string) {
	name := e.Package + " " + e.Test
	switch e.Action {
	case "pass":
		c.passed++
		c.passes = append(c.passes, name)
	case "fail":
		c.failed++
		c.failures = append(c.failures, name)
		_, _ = io.WriteString(c.show, strings.Join(output, ""))
	case "skip":
		c.skipped++
		c.skips = append(c.skips, name+": "+reason(output))
	}
}

// addPackage counts what went wrong in a package beside the tests that said so: those
// that did not come to an end, or that it did not build, crashed or failed to close.
func (c *collector) addPackage(e event, output []string) {
	if e.Action == "skip" { // no test files
		return
	}
	_, _ = fmt.Fprintf(c.show, "%-4s  %s  %.1fs\n", e.Action, e.Package, e.Elapsed)
	if e.Elapsed >= long {
		_, _ = fmt.Fprintf(c.show, "      slowest: %s\n", slowest(c.took[e.Package], 12))
	}
	cut := c.running[e.Package]
	delete(c.running, e.Package)
	for _, test := range cut {
		name := e.Package + " " + test
		_, _ = io.WriteString(c.show, strings.Join(c.outputs[name], ""))
		c.addFinal(name + ": did not come to an end")
	}
	if e.Action != "fail" {
		return
	}
	_, _ = io.WriteString(c.show, strings.Join(output, ""))
	own := slices.ContainsFunc(c.failures, func(name string) bool { return strings.HasPrefix(name, e.Package+" ") })
	if len(cut) == 0 && (!own || !testsAlone(output)) {
		c.addFinal(e.Package)
	}
}

// addFinal counts a failure that a second try of some tests cannot mend.
func (r *result) addFinal(name string) {
	r.failed++
	r.failures = append(r.failures, name)
	r.final = true
}

// testsAlone is true if a package failed because of its tests and nothing else. Its
// binary then ran them all and said FAIL, and no TestMain had to complain, which ours
// do with the path of their package in front.
func testsAlone(output []string) bool {
	ended := slices.Index(output, "FAIL\n")
	return ended >= 0 && !slices.ContainsFunc(output[ended:], func(line string) bool { return strings.HasPrefix(line, "test/") })
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
