// SPDX-License-Identifier: Apache-2.0

//go:build !bare

package bpf

import (
	"bufio"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

//go:embed testdata/Work.java
var javaWork string

// jvm is a real one that divides its work among its common pool.
type jvm struct {
	pid   int
	lines *bufio.Scanner
	// said are the first fields of what it printed, with what follows each; flags are
	// its own account of its settings.
	said  map[string]string
	flags map[string]string
}

// startJVM runs Work.java in a cgroup until it says that it is ready.
func startJVM(t *testing.T, dir string, options ...string) *jvm {
	t.Helper()
	if _, err := exec.LookPath("javac"); err != nil { // Work.java is compiled as it starts
		t.Skip("no JDK here: make test-bpf installs Debian's; what is said of a JVM is held by TestThreadSettingIsNamed of internal/verdict meanwhile")
	}
	source := filepath.Join(t.TempDir(), "Work.java")
	if err := os.WriteFile(source, []byte(javaWork), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-c", `echo $$ >"$1/cgroup.procs" && shift && exec "$@"`, "sh", dir, "java"}, options...)
	cmd := exec.Command("/bin/sh", append(args, "-XX:+PrintFlagsFinal", source, "12")...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	j := &jvm{pid: cmd.Process.Pid, lines: bufio.NewScanner(out), said: map[string]string{}, flags: map[string]string{}}
	for j.lines.Scan() {
		// "int NAME = VALUE {product} {command line}", or what the program says.
		switch f := strings.Fields(j.lines.Text()); {
		case len(f) == 1 && f[0] == "ready":
			return j
		case len(f) == 2:
			j.said[f[0]] = f[1]
		case len(f) > 3 && f[2] == "=":
			j.flags[f[1]] = f[3]
		}
	}
	t.Fatalf("it ended before it was ready: %v", j.lines.Err())
	return nil
}

// threads are the names of its threads, by id.
func (j *jvm) threads(t *testing.T) map[uint32]string {
	t.Helper()
	names := map[uint32]string{}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/comm", j.pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range tasks {
		name, err := os.ReadFile(file)
		tid, bad := strconv.ParseUint(filepath.Base(filepath.Dir(file)), 10, 32)
		if err == nil && bad == nil {
			names[uint32(tid)] = strings.TrimSpace(string(name))
		}
	}
	return names
}

// pool is how many of them are the common pool's workers: "ForkJoinPool.commonPool-worker-1"
// cut to what a thread's name may be.
func pool(names map[uint32]string) int {
	n := 0
	for _, name := range names {
		if name == "ForkJoinPool.co" {
			n++
		}
	}
	return n
}

// TestAJVMsThreads: a JVM that takes the machine for larger than its limit is. What is
// said of it is held against its own account, /proc/PID/task and the program, and the
// setting that is named against a JVM that was given it.
func TestAJVMsThreads(t *testing.T) {
	l, k := ears(t), listen(t)
	for name, c := range map[string]struct {
		processors, workers string
		many                bool
	}{
		"for-eight": {"8", "7", true},
		"for-one":   {"1", "1", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := makeCgroup(t, "jvm-"+name)
			weigh(t, dir, 10_000)
			j := startJVM(t, dir, "-XX:ActiveProcessorCount="+c.processors)
			if j.said["processors"] != c.processors || j.said["workers"] != c.workers || j.flags["ActiveProcessorCount"] != c.processors {
				t.Fatalf("it says %v; ActiveProcessorCount %s", j.said, j.flags["ActiveProcessorCount"])
			}
			limit(t, dir, 40_000)
			group := mustLocate(t, k, path)
			insistent(t, func() (uint64, string) {
				told, r := leanedIn(t, l, cpu.NewWatch(watchConfig()), dir, group)
				if len(told) != 1 {
					return r.Lost, fmt.Sprintf("%d whispers", len(told))
				}
				w := told[0]
				s := verdict.Whisper(w, nil, time.Now())
				t.Logf("%s %s, then %q: %s\n%s", w.Spec.Bursts.Language, s.Cause, s.SecondCause, s.Insight, s.Recommendation)
				if wrong := j.differs(t, r, w.Spec.Bursts); wrong != "" {
					return r.Lost, wrong
				}
				named := strings.Contains(s.Recommendation, "Java: -XX:ActiveProcessorCount=1;")
				if got := s.Cause == v1alpha1.CauseTooManyThreads; got != c.many || named != c.many || s.SecondCause == v1alpha1.CauseTooManyThreads {
					return r.Lost, fmt.Sprintf("causes %s and %q: %s; %+v", s.Cause, s.SecondCause, s.Recommendation, *w.Spec.Bursts)
				}
				return r.Lost, ""
			})
		})
	}
}

// differs says what of a recording is not what the JVM's own threads are.
func (j *jvm) differs(t *testing.T, r event.Recording, b *v1alpha1.Bursts) string {
	t.Helper()
	names := j.threads(t)
	workers := pool(names)
	t.Logf("%d threads ran of %d in /proc/PID/task, %d are the pool's; the work is divided among %d", b.Threads, len(names), workers, b.ParallelThreads)
	if strconv.Itoa(workers) != j.said["workers"] {
		return fmt.Sprintf("%d workers of the common pool, and it is to have %s", workers, j.said["workers"])
	}
	if b.Language != "JVM" || b.Threads < int64(workers) || b.Threads > int64(len(names)) {
		return fmt.Sprintf("language %q, %d threads ran of %d", b.Language, b.Threads, len(names))
	}
	for _, burst := range r.Bursts {
		if names[burst.TID] == "" || burst.TGID != uint32(j.pid) {
			return fmt.Sprintf("a burst of what is none of its threads: %+v", burst)
		}
	}
	counted := r.After[0].Usage - r.Before[0].Usage
	if !near(float64(b.CPUMicroseconds)*1000, float64(counted), 0.1*slack, 20*slack*time.Millisecond) {
		return fmt.Sprintf("%d µs of CPU time, the cgroup was charged %d ns", b.CPUMicroseconds, counted)
	}
	// The pool's workers and who called them.
	if b.ParallelThreads > int64(workers+1) {
		return fmt.Sprintf("the work is divided among %d, the pool and its caller are %d", b.ParallelThreads, workers+1)
	}
	return ""
}
