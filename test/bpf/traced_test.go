// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/syscalls"
)

// The kernel's own trace has the entries of the same processes' calls. Nobody stops them
// there as strace does: calls that do not return, and what comes after them, are seen as
// they are on a node. (The trace may lose a process of which a thread that is not the first
// executes a file: the id that it takes over has just ended.)
func TestSyscallsAgainstTheKernelsTrace(t *testing.T) {
	for _, act := range []string{"work", "nothing"} {
		t.Run(act, func(t *testing.T) {
			k := listen(t)
			k.arm()
			trace := traceOwnChildren(t)
			if out, err := exec.Command(program(t, runtimeName), act, "traced-mark").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			open := k.opened("traced-mark")
			k.exited(open)
			compareWithTrace(t, k, open.Session, trace())
		})
	}
}

func compareWithTrace(t *testing.T, k *kernel, session uint64, theirs map[string]int) {
	t.Helper()
	name, err := syscalls.Names()
	if err != nil {
		t.Fatal(err)
	}
	ours := k.counts(session).Own
	lost, err := k.Lost()
	if err != nil {
		t.Fatal(err)
	}
	total, missing := 0, 0
	for nr, n := range ours.Syscalls {
		theirs[name(nr)] -= int(n)
		total += int(n)
	}
	for call, n := range theirs {
		if n < 0 {
			t.Errorf("%s: %d more than the kernel's trace has", call, -n)
		}
		missing += max(n, 0)
	}
	if missing > int(lost.Skipped) {
		t.Errorf("missing here: %v; the kernel left out %d runs", theirs, lost.Skipped)
	}
	if total < 50 {
		t.Errorf("only %d system calls", total)
	}
	t.Logf("%d system calls in %d processes and %d more threads", total, ours.Processes, ours.Threads)
}

var tracedCall = regexp.MustCompile(`sys_enter: NR (-?\d+) `)

// traceOwnChildren has the kernel trace what this thread's children call, and theirs, once
// they have executed a file. What it returns ends that, and gives the number of calls by name.
func traceOwnChildren(t *testing.T) func() map[string]int {
	t.Helper()
	mountTracefs(t)
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	dir := filepath.Join("/sys/kernel/tracing/instances", "kgtest-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	set := func(file, value string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	own, err := os.ReadFile("/proc/thread-self/comm")
	if err != nil {
		t.Fatal(err)
	}
	set("buffer_size_kb", "4096")
	set("options/event-fork", "1")
	set("set_event_pid", strconv.Itoa(unix.Gettid()))
	set("events/raw_syscalls/sys_enter/filter", `comm != "`+string(own[:len(own)-1])+`"`)
	set("events/raw_syscalls/sys_enter/enable", "1")
	return func() map[string]int {
		t.Helper()
		set("events/raw_syscalls/sys_enter/enable", "0")
		raw, err := os.ReadFile(filepath.Join(dir, "trace"))
		if err != nil {
			t.Fatal(err)
		}
		return countEntries(t, raw)
	}
}

func countEntries(t *testing.T, trace []byte) map[string]int {
	t.Helper()
	name, err := syscalls.Names()
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for _, m := range tracedCall.FindAllSubmatch(trace, -1) {
		nr, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		calls[name(nr)]++
	}
	return calls
}
