// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// instances that a test process made are named after it, so that a later one
// can tell which nobody needs any more.
const instancePrefix = "kernel-gossip-e2e-"

// trace is an instance of the kernel's own tracing: a second witness that has
// nothing to do with eBPF.
type trace struct {
	dir string
}

// traced is one line of the trace.
type traced struct {
	tid   int
	time  time.Duration // CLOCK_MONOTONIC
	event string
	text  string // what the event tells
	nr    int    // of a system call
}

// startTrace records the system calls of processes with that name, and the
// mounts and execs of all, from now on until the test ends.
func startTrace(t *testing.T, comm string) *trace {
	t.Helper()
	tr := newTrace(t, 4)
	tr.set(t, "events/raw_syscalls/sys_enter/filter", fmt.Sprintf("comm == %q", comm))
	tr.set(t, "events/raw_syscalls/sys_exit/filter", fmt.Sprintf("(id == %d || id == %d) && ret == 0", unix.SYS_MOUNT, unix.SYS_MOVE_MOUNT))
	tr.enable(t, "raw_syscalls/sys_enter", "raw_syscalls/sys_exit", "sched/sched_process_exec")
	return tr
}

// newTrace makes an instance that records nothing yet, with as many MiB for each CPU.
func newTrace(t *testing.T, megabytes int) *trace {
	t.Helper()
	root := mountTracefs(t)
	dropStaleInstances(root)
	tr := &trace{dir: filepath.Join(root, "instances", fmt.Sprintf("%s%d-%d", instancePrefix, os.Getpid(), time.Now().UnixNano()))}
	if err := os.Mkdir(tr.dir, 0o700); err != nil {
		t.Fatalf("make a tracing instance: %v", err)
	}
	t.Cleanup(func() {
		if err := os.Remove(tr.dir); err != nil {
			t.Errorf("remove the tracing instance: %v", err)
		}
	})
	tr.set(t, "trace_clock", "mono")
	tr.set(t, "buffer_size_kb", strconv.Itoa(megabytes<<10))
	return tr
}

// enable records events until the test ends.
func (tr *trace) enable(t *testing.T, events ...string) {
	t.Helper()
	t.Cleanup(func() { tr.set(t, "events/enable", "0") })
	for _, e := range events {
		tr.set(t, filepath.Join("events", e, "enable"), "1")
	}
}

// mountTracefs makes a mount that is attached nowhere and vanishes with this
// process, so that nothing of the machine is changed.
func mountTracefs(t *testing.T) string {
	t.Helper()
	fsfd, err := unix.Fsopen("tracefs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		t.Fatalf("open tracefs: %v", err)
	}
	defer func() { _ = unix.Close(fsfd) }()
	if err := unix.FsconfigCreate(fsfd); err != nil {
		t.Fatalf("make a tracefs mount: %v", err)
	}
	fd, err := unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("make a tracefs mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fmt.Sprintf("/proc/self/fd/%d", fd)
}

// dropStaleInstances removes those of test processes that are gone.
func dropStaleInstances(root string) {
	stale, _ := filepath.Glob(filepath.Join(root, "instances", instancePrefix+"*"))
	for _, dir := range stale {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), instancePrefix), "-")
		pid, err := strconv.Atoi(owner)
		if err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = os.Remove(dir)
		}
	}
}

func (tr *trace) set(t *testing.T, file, value string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(tr.dir, file), []byte(value), 0o600); err != nil {
		t.Fatalf("tracing: %v", err)
	}
}

// "     nginx-4711    [001] ..... 12345.678901: sys_enter: NR 257 (…)"; a task's
// name may have blanks.
var (
	tracedLine = regexp.MustCompile(`-(\d+)\s+\[\d+\]\s+\S+\s+(\d+)\.(\d{6}): (\w+): (.*)$`)
	tracedCall = regexp.MustCompile(`^NR (\d+)`)
)

// read returns all that was recorded; the test fails if anything was lost.
func (tr *trace) read(t *testing.T) []traced {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(tr.dir, "trace"))
	if err != nil {
		t.Fatal(err)
	}
	tr.checkLosses(t)
	var all []traced
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(line, "#") {
			all = append(all, parseTraced(t, strings.TrimRight(line, "\n")))
		}
	}
	return all
}

func parseTraced(t *testing.T, line string) traced {
	t.Helper()
	m := tracedLine.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("cannot read the trace's line %q", line)
	}
	at := time.Duration(decimal(t, m[2]))*time.Second + time.Duration(decimal(t, m[3]))*time.Microsecond
	one := traced{tid: decimal(t, m[1]), time: at, event: m[4], text: m[5], nr: -1}
	if call := tracedCall.FindStringSubmatch(one.text); call != nil {
		one.nr = decimal(t, call[1])
	}
	return one
}

func decimal(t *testing.T, digits string) int {
	t.Helper()
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (tr *trace) checkLosses(t *testing.T) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(tr.dir, "per_cpu", "cpu*", "stats"))
	if len(files) == 0 {
		t.Fatal("the trace has no statistics")
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			if (key == "overrun" || key == "commit overrun" || key == "dropped events") && value != "0" {
				t.Fatalf("the trace lost events (%s: %s): this comparison would be worth nothing", key, value)
			}
		}
	}
}

// of counts the lines of one event by the given processes that pass, and tells
// the first's time.
func of(lines []traced, event string, pids []int, pass func(traced) bool) (count int64, first time.Duration) {
	for _, l := range lines {
		if l.event != event || !slices.Contains(pids, l.tid) || !pass(l) {
			continue
		}
		if count == 0 {
			first = l.time
		}
		count++
	}
	return count, first
}

func always(traced) bool { return true }

// wall turns a time of CLOCK_MONOTONIC into wall time. Of several comparisons of
// the two clocks it takes the one in which the least time passed between them.
func wall(monotonic time.Duration) time.Time {
	var at time.Time
	for n, least := 0, time.Hour; n < 10; n++ {
		var now unix.Timespec
		began := time.Now()
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			panic(err) // no kernel without that clock runs this
		}
		if took := time.Since(began); took < least {
			least, at = took, began.Add(took/2+monotonic-time.Duration(now.Nano()))
		}
	}
	return at
}
