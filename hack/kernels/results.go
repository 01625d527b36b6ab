// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// row is what became of one machine.
type row struct {
	machine
	passed, failed, skipped int
	bootSeconds             string // from the kernel's start to the init, on the machine's clock
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

// follow turns the output of a test binary into events, hands them on and
// counts. A test that was not told of has failed, whatever the binary says.
func (r *row) follow(ctx context.Context, output io.Reader, tests []string, to io.Writer) error {
	convert := exec.CommandContext(ctx, "go", "tool", "test2json", "-t", "-p", r.name())
	convert.Stdin = output
	convert.Stderr = os.Stderr
	events, err := convert.StdoutPipe()
	if err != nil {
		return fmt.Errorf("test2json: %w", err)
	}
	if err := convert.Start(); err != nil {
		return fmt.Errorf("test2json: %w", err)
	}
	seen, verdict := map[string]bool{}, event{Action: "fail", Package: r.name()}
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("test2json: read %q: %w", lines.Text(), err)
		}
		if e.Test == "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip") {
			verdict = e
			continue
		}
		seen[e.Test] = r.count(e) || seen[e.Test]
		if err := tell(to, e); err != nil {
			return err
		}
	}
	if err := errors.Join(lines.Err(), convert.Wait()); err != nil {
		return fmt.Errorf("test2json: %w", err)
	}
	return r.close(verdict, tests, seen, to)
}

// close tells the machine's own end. Without the binary's word that all is well
// it has failed.
func (r *row) close(verdict event, tests []string, seen map[string]bool, to io.Writer) error {
	if err := r.missing(tests, seen, to); err != nil {
		return err
	}
	if r.failed > 0 || verdict.Action != "pass" {
		verdict.Action = "fail"
		r.failed = max(1, r.failed)
	}
	return tell(to, verdict)
}

// count is true for the end of a test.
func (r *row) count(e event) bool {
	if e.Test == "" {
		return false
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
	case "skip":
		r.skipped++
	default:
		return false
	}
	return true
}

// missing tells of the tests that did not come to an end.
func (r *row) missing(tests []string, seen map[string]bool, to io.Writer) error {
	for _, name := range tests {
		if seen[name] {
			continue
		}
		r.failed++
		for _, e := range []event{
			{Action: "output", Package: r.name(), Test: name, Output: "    " + name + " did not come to an end\n"},
			{Action: "fail", Package: r.name(), Test: name},
		} {
			if err := tell(to, e); err != nil {
				return err
			}
		}
	}
	return nil
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
	t.WriteString("| Linux | of Debian | cgroup | tests passed | failed | skipped | boot | all |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&t, "| %s | %s | %s | %d | %d | %d | %s s | %.0f s |\n",
			r.version, r.suite, r.cgroup(), r.passed, r.failed, r.skipped, r.bootSeconds, r.took.Seconds())
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // build/ is for everyone to read
		return fmt.Errorf("write the table: %w", err)
	}
	if err := os.WriteFile(file, []byte(t.String()), 0o644); err != nil { //nolint:gosec // as above
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}
