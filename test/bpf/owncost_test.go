// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/cost"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// statOfProcess is this process' CPU time as /proc/PID/stat has it, in its unit.
func statOfProcess(t *testing.T) time.Duration {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(after)
	const utime, stime = 11, 12
	var ticks int
	for _, at := range []int{utime, stime} {
		n, err := strconv.Atoi(fields[at])
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	const tick = 10 * time.Millisecond // USER_HZ
	return time.Duration(ticks) * tick
}

// What the observer says that it has cost is what the kernel says of its process.
func TestOwnCPUAgainstProc(t *testing.T) {
	needKernel(t)
	k := cost.NewKeeper(0, cost.ReadProcess, slog.New(slog.DiscardHandler))
	k.Tick(time.Now(), cost.Doing{})
	work := func() {
		for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
			_ = unix.Getppid()
		}
	}
	k.Charge(cost.PartReplay, work)
	work()
	before := statOfProcess(t)
	k.Tick(time.Now(), cost.Doing{})
	after := statOfProcess(t)
	u := k.Usage()
	var all time.Duration
	for _, spent := range u.Own {
		all += spent
	}
	const unit = 20 * time.Millisecond // user and system time are cut off each
	if all < before-unit || all > after+unit {
		t.Errorf("%s by its own account; %s before and %s after by /proc", all, before, after)
	}
	if u.Own[cost.PartReplay] <= 0 || u.Own[cost.PartReplay] > all {
		t.Errorf("%s charged of %s", u.Own[cost.PartReplay], all)
	}
	if u.Resident < 4<<20 {
		t.Errorf("%d bytes resident", u.Resident)
	}
}

// counted is what the kernel says of a program of this process, which is found
// among all of the machine's by its id.
func counted(t *testing.T) ebpf.ProgramStats {
	t.Helper()
	own := map[string]bool{}
	files, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		raw, _ := os.ReadFile("/proc/self/fdinfo/" + f.Name())
		for line := range strings.Lines(string(raw)) {
			if id, ok := strings.CutPrefix(line, "prog_id:"); ok {
				own[strings.TrimSpace(id)] = true
			}
		}
	}
	var sum ebpf.ProgramStats
	id, err := ebpf.ProgramGetNextID(0)
	for ; err == nil; id, err = ebpf.ProgramGetNextID(id) {
		if !own[strconv.Itoa(int(id))] {
			continue
		}
		p, err := ebpf.NewProgramFromID(id)
		if err != nil {
			t.Fatal(err)
		}
		info, err := p.Info()
		if err != nil {
			t.Fatal(err)
		}
		if stats, err := p.Stats(); err == nil && hearsExecs(info.Name) {
			sum.Runtime, sum.RunCount = sum.Runtime+stats.Runtime, sum.RunCount+stats.RunCount
		}
		_ = p.Close()
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return sum
}

// hearsExecs is true of the name of a program that hears executions: process_exec, or, where
// perf tracepoints are better, process_exec_record, of which the kernel keeps 15 bytes.
func hearsExecs(name string) bool {
	return strings.HasPrefix(name, "process_exec")
}

// nameOfExecs is that program's among those that ran.
func nameOfExecs[P any](ran map[string]P) string {
	for name := range ran {
		if hearsExecs(name) {
			return name
		}
	}
	return ""
}

// What the observer says that its programs have cost is what the kernel counts,
// and it is counted only as long as it is asked for.
func TestProgramsAgainstTheKernel(t *testing.T) {
	listen(t)
	var costs probe.Costs
	if costs.Always() {
		t.Skip("kernel.bpf_stats_enabled is on, so that nobody has to ask for counting: set it to 0; the virtual machines of make test-kernels have it off")
	}
	counting, err := costs.Count()
	if errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.EINVAL) {
		t.Skipf("a kernel before 5.8: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	const execs = 20
	of := func() cost.Program {
		all, memory, err := costs.Read()
		if err != nil {
			t.Fatal(err)
		}
		if memory < 4<<20 {
			t.Errorf("programs and maps of %d bytes: the ring alone has 4 MiB", memory)
		}
		var sum cost.Program
		for _, p := range all {
			if hearsExecs(p.Name) {
				sum.Time, sum.Runs = sum.Time+p.Time, sum.Runs+p.Runs
			}
		}
		return sum
	}
	before := of()
	for range execs {
		_ = exec.Command("/bin/true").Run()
	}
	low, said, high := counted(t), of(), counted(t)
	if said.Runs-before.Runs < execs {
		t.Errorf("%d runs for %d execs", said.Runs-before.Runs, execs)
	}
	if said.Runs < low.RunCount || said.Runs > high.RunCount || said.Time < low.Runtime || said.Time > high.Runtime {
		t.Errorf("%d runs in %s; by the kernel %d in %s before, %d in %s after",
			said.Runs, said.Time, low.RunCount, low.Runtime, high.RunCount, high.Runtime)
	}
	if err := counting.Close(); err != nil {
		t.Fatal(err)
	}
	if costs.Always() {
		t.Fatal("somebody else has it counted now")
	}
	// Another observer of this machine has it counted for a moment now and then.
	deadline := time.Now().Add(patience / 6)
	for alone := 0; ; time.Sleep(100 * time.Millisecond) {
		still := of()
		_ = exec.Command("/bin/true").Run()
		now := of()
		others := countingNow(t)
		if now.Runs == still.Runs {
			return
		}
		if len(others) == 0 {
			alone++
		}
		if alone == 3 {
			t.Fatalf("%d runs counted after the end, and nobody has them counted", now.Runs-still.Runs)
		}
		if time.Now().After(deadline) {
			t.Logf("other processes of this machine have runs counted all the time: %q", others)
			return
		}
	}
}

// countingNow are the other processes that have the kernel count runs of programs.
func countingNow(t *testing.T) (all []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	own := fmt.Sprintf("/proc/%d/", os.Getpid())
	for _, f := range files {
		of, err := os.Readlink(f)
		if err == nil && of == "anon_inode:bpf-stats" && !strings.HasPrefix(f, own) {
			all = append(all, f)
		}
	}
	return all
}

// The keeper takes windows of what the programs cost.
func TestAWindowOfTheKernel(t *testing.T) {
	listen(t)
	k := cost.NewKeeper(0.01, cost.ReadProcess, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { k.Watch(ctx, &probe.Costs{}); close(done) }()
	defer func() { stop(); <-done }()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		_ = exec.Command("/bin/true").Run()
		b := k.Usage().BPF
		if b.Source != cost.SourceNone && b.Watched > 0 {
			if p := b.Programs[nameOfExecs(b.Programs)]; p.Runs == 0 || p.Time <= 0 || p.Time > b.Watched {
				t.Errorf("%+v within %s", p, b.Watched)
			}
			return
		}
		if b.Memory > 0 && b.Source == cost.SourceNone {
			t.Skip("the run time of programs may not be counted here: TestProgramsAgainstTheKernel says why")
		}
		if time.Now().After(deadline) {
			t.Fatalf("no window: %+v", b)
		}
	}
}
