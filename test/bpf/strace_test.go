// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/syscalls"
)

// strace traces the same run of the same processes: every single count must be
// the same. Only a call in which a thread was killed may be missing here: strace
// stops a thread before the kernel's own tracepoint, and one that is killed
// while it is stopped never enters the call (kernel/entry/common.c
// syscall_trace_enter). Kernels that preempt programs leave some runs out, and
// say how many.
func TestSyscallsAgainstStrace(t *testing.T) {
	k := listen(t)
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is not installed: apt-get install strace")
	}
	name, err := syscalls.Names()
	if err != nil {
		t.Fatal(err)
	}
	k.arm()
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(strace, "-f", "-q", "-o", trace, program(t, runtimeName), "work", "strace-mark")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	open := k.opened("strace-mark")
	k.exited(open)
	ours := k.counts(open.Session).Own
	theirs, killed := countTrace(t, trace)

	lost, err := k.Lost()
	if err != nil {
		t.Fatal(err)
	}
	total, skipped, short := 0, 0, map[string]int{}
	for nr, n := range ours.Syscalls {
		theirs[name(nr)] -= int(n)
		total += int(n)
	}
	for call, missed := range theirs {
		if missed < 0 {
			t.Errorf("%s: %d more than strace saw", call, -missed)
		}
		if missed > killed[call] {
			short[call] = missed - killed[call]
			skipped += short[call]
		}
	}
	if skipped > int(lost.Skipped) {
		t.Errorf("missing here: %v; the kernel left out %d runs", short, lost.Skipped)
	}
	if total < 2000 {
		t.Errorf("only %d system calls: the work was not heard", total)
	}
	t.Logf("%d system calls in %d processes and %d more threads, each name as often as strace saw it but for %d that the kernel left out",
		total, ours.Processes, ours.Threads, skipped)
}

var (
	straceCall    = regexp.MustCompile(`^(\d+) +([a-z_0-9]+)\(`)
	straceResumed = regexp.MustCompile(`^(\d+) +<\.\.\. ([a-z_0-9]+) resumed>`)
	straceEnd     = regexp.MustCompile(`^(\d+) +\+\+\+`)
)

// countTrace counts the calls of a strace log, and those that never returned:
// that end with "= ?", or whose thread ended in them. It leaves out the execve
// that began the log: that one was entered before there was a session.
func countTrace(t *testing.T, file string) (calls, killed map[string]int) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	calls, killed = map[string]int{}, map[string]int{}
	under := map[string]string{} // the call that a thread is in
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for first := true; lines.Scan(); first = false {
		line := lines.Text()
		if m := straceCall.FindStringSubmatch(line); m != nil {
			under[m[1]] = m[2]
			if !first {
				calls[m[2]]++
			}
		}
		if m := straceResumed.FindStringSubmatch(line); m != nil {
			under[m[1]] = m[2]
		}
		if end := straceEnd.FindStringSubmatch(line); end != nil && under[end[1]] != "" {
			killed[under[end[1]]]++
		}
		if !strings.HasSuffix(line, "<unfinished ...>") && !strings.HasSuffix(line, "= ?") {
			thread, _, _ := strings.Cut(line, " ")
			delete(under, thread)
		}
	}
	return calls, killed
}
