// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// deadline is when a machine is taken to hang. It is several times what one
// needs on two slow processors that others use as well.
const deadline = 20 * time.Minute

// commandLine is the room of a kernel's command line (COMMAND_LINE_SIZE): one that is
// longer ends in the midst of a word, and the machine in the midst of its start.
const commandLine = 2048

func (m machine) room() int {
	if m.onXen() {
		return commandLineOnXen
	}
	return commandLine
}

// boot is one start of a machine.
type boot struct {
	work, console string
	run, skip     string // of the tests, as go test takes them; empty: all, and none
	examine       bool   // by the doctor, after the tests
}

// runMachine boots the machine, tells what its tests said and sums it up. Tests
// that failed have a second try, alone in a machine just started.
func runMachine(ctx context.Context, m machine, work string, tests []string, to io.Writer) (row, error) {
	began := time.Now()
	tests, skip := m.tests(tests)
	run := ""
	if len(only()) > 0 || m.onXen() {
		run = pattern(tests)
	}
	first, seconds, err := m.try(ctx, boot{work: work, run: run, skip: skip, examine: m.examined()}, tests)
	if err != nil {
		return row{machine: m}, err
	}
	r := row{machine: m, bootSeconds: seconds}
	fmt.Fprintf(os.Stderr, "%s: slowest of %.0f s: %s\n", m.name(), time.Since(began).Seconds(), first.slowest(8))
	if names := first.again(); len(names) > 0 && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "\n!!! SECOND TRY: %s: %s\n", m.name(), strings.Join(names, ", "))
		second, _, err := m.try(ctx, boot{work: work, run: pattern(names), skip: skip}, names)
		if err != nil {
			return r, err
		}
		first.show(os.Stderr, names)
		r.unstable = first.replace(second, names)
	}
	keepReport(work, m)
	err = r.tell(first, to)
	r.took = time.Since(began)
	return r, err
}

// try boots the machine once. seconds is how long the kernel took to its init, on
// the machine's clock.
func (m machine) try(ctx context.Context, b boot, tests []string) (said outcome, seconds string, err error) {
	fmt.Fprintf(os.Stderr, "booting Linux %s (%s) with cgroup %s, CPUs: %d\n", m.version, m.suite, m.cgroup(), m.cpus)
	b.console = filepath.Join(b.work, "console-"+m.version+"-"+m.cgroup())
	_ = os.Remove(b.console)
	out, in := io.Pipe()
	go func() {
		// What the tests say, and after it what went wrong with the machine.
		if fault := m.boot(ctx, b, in); fault != nil {
			// The mark makes the last line the binary's own word to test2json.
			_, _ = fmt.Fprintf(in, "\n%v; the console's last lines:\n%s\n\x16FAIL\n", fault, tail(b.console))
		}
		_ = in.Close()
	}()
	said, err = listen(ctx, m.name(), out, tests)
	// Whoever writes must not wait for a reader that has gone.
	_ = out.CloseWithError(errors.New("nobody reads"))
	return said, told(b.console, "KG up "), err
}

// boot runs the machine until it powers off. The error says what kept it from
// running the tests to their end; a test that fails is none.
func (m machine) boot(ctx context.Context, b boot, tests io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, deadline, fmt.Errorf("the machine hangs: no end within %s", deadline))
	defer cancel()
	line := m.qemu(b)
	if words := line[len(line)-1]; len(words) >= m.room() {
		return fmt.Errorf("the kernel's command line would have %d bytes, and has room for %d", len(words), m.room())
	}
	command := exec.CommandContext(ctx, line[0], line[1:]...) //nolint:gosec // QEMU, with arguments of ours
	command.Stdout = tests
	var said strings.Builder
	command.Stderr = &said
	err := command.Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("qemu: %w: %s", err, strings.TrimSpace(said.String()))
	case told(b.console, "KG done ") == "":
		return errors.New("the machine ended before its tests did")
	}
	return nil
}

// told is the first word after the mark that the machine's init left on its console.
func told(console, mark string) string {
	raw, _ := os.ReadFile(console) //nolint:gosec // a file of ours
	_, after, _ := strings.Cut(string(raw), mark)
	word, _, _ := strings.Cut(after, " ")
	word, _, _ = strings.Cut(word, "\r")
	return word
}

func tail(console string) string {
	raw, _ := os.ReadFile(console) //nolint:gosec // a file of ours
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(raw), "\r", "")), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// reports is where go run ./hack/support finds what the doctor said.
const reports = "build/doctor"

// examined machines are of another architecture: hack/support/run.sh examines the others.
// It takes minutes, so it is asked for.
func (m machine) examined() bool { return m.foreign() && os.Getenv("KG_KERNELS_DOCTOR") == "1" }

// keepReport keeps the report of the doctor in a machine that was examined.
func keepReport(work string, m machine) {
	raw, err := os.ReadFile(filepath.Join(work, "doctor-"+m.version)) //nolint:gosec // a file of ours
	if err != nil || !strings.HasPrefix(string(raw), "{") {
		return
	}
	if os.MkdirAll(reports, 0o755) == nil { //nolint:gosec // build/ is for everyone to read
		_ = os.WriteFile(filepath.Join(reports, m.version+"-"+m.cgroup()+".json"), raw, 0o644) //nolint:gosec // as above
	}
}
