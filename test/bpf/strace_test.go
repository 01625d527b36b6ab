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
// the same. Only a thread that is killed while it waits for strace at its entry into the
// kernel has a call that strace, which looks too late, has not seen, or has taken for
// another thread's. Kernels that preempt programs leave some runs out, and say how many.
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
	theirs, unseen, misread := countTrace(t, trace)

	lost, err := k.Lost()
	if err != nil {
		t.Fatal(err)
	}
	total, skipped, more, short := 0, 0, map[string]int{}, map[string]int{}
	for nr, n := range ours.Syscalls {
		theirs[name(nr)] -= int(n)
		total += int(n)
	}
	for call, missed := range theirs {
		if named := min(max(missed, 0), misread[call]); named > 0 {
			missed -= named
			unseen += named
		}
		switch {
		case missed < 0:
			more[call] = -missed
			unseen += missed
		case missed > 0:
			short[call] = missed
			skipped += missed
		}
	}
	if unseen < 0 {
		t.Errorf("more than strace saw: %v; %d more than threads that were killed at their entry", more, -unseen)
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

// countTrace counts the calls of a strace log, and the threads that ended between two
// calls (unseen), or are said to have begun a call and did not pass by anything any more
// (misread, by that call). It leaves out the execve that began the log: that one was
// entered before there was a session.
func countTrace(t *testing.T, file string) (calls map[string]int, unseen int, misread map[string]int) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	calls, misread = map[string]int{}, map[string]int{}
	begun := map[string]bool{}   // by a thread, and not resumed
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
		thread, _, _ := strings.Cut(line, " ")
		switch last := under[thread]; {
		case !straceEnd.MatchString(line):
		case last == "":
			unseen++
		case begun[thread]:
			misread[last]++
		}
		begun[thread] = strings.HasSuffix(line, "<unfinished ...>")
		if !begun[thread] && !strings.HasSuffix(line, "= ?") {
			delete(under, thread)
		}
	}
	return calls, unseen, misread
}
