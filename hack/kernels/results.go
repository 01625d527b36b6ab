// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// row is what became of one machine.
type row struct {
	machine
	passed, failed, skipped int
	unstable                []string // full names of tests that failed and then passed alone
	bootSeconds             string   // from the kernel's start to the init, on the machine's clock
	took                    time.Duration
}

// event is one line of go test -json (see go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string  `json:",omitempty"`
	Elapsed float64 `json:",omitempty"`
	Output  string  `json:",omitempty"`
}

// ends is true for the last event of a test or a package.
func (e event) ends() bool { return e.Action == "pass" || e.Action == "fail" || e.Action == "skip" }

// top is the test without its subtests' names.
func (e event) top() string {
	name, _, _ := strings.Cut(e.Test, "/")
	return name
}

// outcome is what the tests of one boot said.
type outcome struct {
	events  []event // of tests
	verdict event   // of the machine
	whole   bool    // the machine ended when its tests did
}

// listen turns the output of a test binary into events. A test that was not told
// of has failed, whatever the binary says.
func listen(ctx context.Context, name string, output io.Reader, tests []string) (outcome, error) {
	o := outcome{verdict: event{Action: "fail", Package: name}}
	convert := exec.CommandContext(ctx, "go", "tool", "test2json", "-t", "-p", name)
	convert.Stdin = output
	convert.Stderr = os.Stderr
	events, err := convert.StdoutPipe()
	if err != nil {
		return o, fmt.Errorf("test2json: %w", err)
	}
	if err := convert.Start(); err != nil {
		return o, fmt.Errorf("test2json: %w", err)
	}
	silent := (&watch{machine: name, after: silence, to: os.Stderr}).begin()
	defer silent.end()
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return o, fmt.Errorf("test2json: read %q: %w", lines.Text(), err)
		}
		silent.heard(e.Test)
		if e.Test == "" && e.ends() {
			o.verdict = e
			continue
		}
		o.events = append(o.events, e)
	}
	if err := errors.Join(lines.Err(), convert.Wait()); err != nil {
		return o, fmt.Errorf("test2json: %w", err)
	}
	o.whole = o.addMissing(name, tests)
	return o, nil
}

// addMissing tells of the tests that did not come to an end; true if all did.
func (o *outcome) addMissing(name string, tests []string) bool {
	seen, words := map[string]bool{}, map[string]string{}
	for _, e := range o.events {
		seen[e.Test] = seen[e.Test] || e.ends()
		words[e.Test] = "was under way when the machine ended"
	}
	whole := true
	for _, test := range tests {
		if seen[test] {
			continue
		}
		whole = false
		o.events = append(o.events,
			event{Action: "output", Package: name, Test: test, Output: "    " + test + " " + cmp.Or(words[test], "was not begun") + "\n"},
			event{Action: "fail", Package: name, Test: test})
	}
	return whole
}

// slowest names the tests that took longest, with their seconds: what the matrix takes is
// to be sought there.
func (o *outcome) slowest(n int) string {
	var tests []event
	for _, e := range o.events {
		if e.ends() && e.Test != "" && e.Test == e.top() {
			tests = append(tests, e)
		}
	}
	slices.SortStableFunc(tests, func(a, b event) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	var words []string
	for _, e := range tests[:min(n, len(tests))] {
		words = append(words, fmt.Sprintf("%s %.0f s", e.Test, e.Elapsed))
	}
	return strings.Join(words, ", ")
}

// tell hands on the events and the machine's own end, and counts. Without the
// binary's word that all is well the machine has failed.
func (r *row) tell(o outcome, to io.Writer) error {
	for _, e := range o.events {
		if e.Test != "" {
			r.count(e.Action)
		}
		if err := tell(to, e); err != nil {
			return err
		}
	}
	if r.failed > 0 || o.verdict.Action != "pass" {
		o.verdict.Action = "fail"
		r.failed = max(1, r.failed)
	}
	return tell(to, o.verdict)
}

func (r *row) count(action string) {
	switch action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
	case "skip":
		r.skipped++
	}
}

func tell(to io.Writer, e event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("tell an event: %w", err)
	}
	if _, err := to.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("tell an event: %w", err)
	}
	return nil
}

// writeTable writes the results as a table in Markdown.
func writeTable(file string, rows []row) error {
	var t strings.Builder
	t.WriteString("| Linux | of Debian | cgroup | CPUs | tests passed | of them on the second try, parts counted | failed | skipped | boot | all |\n" +
		"|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&t, "| %s | %s | %s | %d | %d | %d | %d | %d | %s s | %.0f s |\n",
			r.version, r.suite, r.cgroup(), r.cpus, r.passed, len(r.unstable), r.failed, r.skipped, r.bootSeconds, r.took.Seconds())
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // build/ is for everyone to read
		return fmt.Errorf("write the table: %w", err)
	}
	if err := os.WriteFile(file, []byte(t.String()), 0o644); err != nil { //nolint:gosec // as above
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}
