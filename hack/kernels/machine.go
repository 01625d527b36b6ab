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
// needs on two slow processors.
const deadline = 8 * time.Minute

// runMachine boots the machine, hands its events on and sums them up.
func runMachine(ctx context.Context, m machine, work string, tests []string, to io.Writer) (row, error) {
	fmt.Fprintf(os.Stderr, "booting Linux %s (%s) with cgroup %s\n", m.version, m.suite, m.cgroup())
	began := time.Now()
	console := filepath.Join(work, "console-"+m.version+"-"+m.cgroup())
	out, in := io.Pipe()
	go func() {
		// What the tests say, and after it what went wrong with the machine.
		fault := boot(ctx, m, console, filepath.Join(work, imageFile), in)
		if fault != nil {
			// The mark makes the last line the binary's own word to test2json.
			_, _ = fmt.Fprintf(in, "\n%v; the console's last lines:\n%s\n\x16FAIL\n", fault, tail(console))
		}
		_ = in.Close()
	}()
	r := row{machine: m}
	err := r.follow(ctx, out, tests, to)
	// Whoever writes must not wait for a reader that has gone.
	_ = out.CloseWithError(errors.New("nobody reads"))
	r.took = time.Since(began)
	r.bootSeconds = told(console, "KG up ")
	return r, err
}

// boot runs the machine until it powers off. The error says what kept it from
// running the tests to their end; a test that fails is none.
func boot(ctx context.Context, m machine, console, image string, tests io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, deadline, fmt.Errorf("the machine hangs: no end within %s", deadline))
	defer cancel()
	arguments := "console=ttyS0 quiet panic=-1 mitigations=off audit=0 apparmor=0 cryptomgr.notests " +
		"tsc=reliable no_timer_check random.trust_cpu=on"
	if m.v1 {
		arguments += " kg.cgroup=v1"
	} else {
		arguments += " cgroup_no_v1=all"
	}
	command := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		// Two processors in turn, in one thread: in two threads QEMU does not keep up
		// with a kernel that changes its own code (static branches), which then dies
		// or hangs.
		"-machine", "pc,hpet=off", "-accel", "tcg,thread=single", "-smp", "2", "-m", "512",
		// QEMU 7.2 emulates cmpxchg16b wrongly (it changes flags), which kills kernels at random.
		"-cpu", "max,la57=off,cx16=off",
		"-kernel", m.file, "-initrd", image, "-append", arguments,
		"-serial", "file:"+console, "-serial", "stdio")
	command.Stdout = tests
	var said strings.Builder
	command.Stderr = &said
	err := command.Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("qemu: %w: %s", err, strings.TrimSpace(said.String()))
	case told(console, "KG done ") == "":
		return errors.New("the machine ended before its tests did")
	}
	return nil
}

// told is the first word after the mark that the machine's init left on its console.
func told(console, mark string) string {
	raw, _ := os.ReadFile(console)
	_, after, _ := strings.Cut(string(raw), mark)
	word, _, _ := strings.Cut(after, " ")
	word, _, _ = strings.Cut(word, "\r")
	return word
}

func tail(console string) string {
	raw, _ := os.ReadFile(console)
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(raw), "\r", "")), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
