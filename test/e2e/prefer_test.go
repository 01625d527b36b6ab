// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// prefer gives the pods of the node the greatest weight among all cgroups of its machine,
// until the test ends: the CPUs' time goes to others only where the pods leave it, or
// nearly. Who reads the counters meanwhile is not kept from it.
func (n *localNode) prefer(t *testing.T, uid string) {
	t.Helper()
	top, _, _ := strings.Cut(n.podCgroup(uid), "/")
	file, most := "cpu.shares", "262144"
	if n.unified {
		file, most = "cpu.weight", "10000"
	}
	file = filepath.Join(n.cpu, top, file)
	keep(t, file)
	if err := os.WriteFile(file, []byte(most), 0); err != nil {
		t.Fatalf("weight of the node's cgroup: %v", err)
	}
	goFirst(t)
}

// keep brings back what a file says when the test ends, also if it is killed: a shell in a
// process group of its own does, as soon as nobody holds the other end of its input.
func keep(t *testing.T, file string) {
	t.Helper()
	was := strings.TrimSpace(readFile(t, file))
	keeper := exec.Command("sh", "-c", `cat; echo "$1" >"$2"`, "keeper", was, file)
	keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := keeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Start(); err != nil {
		t.Fatalf("start who brings back %s: %v", file, err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		if err := keeper.Wait(); err != nil {
			t.Errorf("bring back %s: %v", file, err)
		}
		if is := strings.TrimSpace(readFile(t, file)); is != was {
			t.Errorf("%s says %s after the test, and said %s before", file, is, was)
		}
	})
}

// goFirst lets all threads of this process run before whatever else there is. It uses
// hardly a CPU, and its readings are to lie close to the moments that they are of.
func goFirst(t *testing.T) {
	t.Helper()
	schedule(t, unix.SchedAttr{Policy: unix.SCHED_FIFO, Priority: 1})
	t.Cleanup(func() { schedule(t, unix.SchedAttr{Policy: unix.SCHED_NORMAL}) })
}

// schedule all threads so; those to come have it from who starts them.
func schedule(t *testing.T, how unix.SchedAttr) {
	t.Helper()
	how.Size = unix.SizeofSchedAttr
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(filepath.Base(thread))
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.SchedSetAttr(id, &how, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			t.Logf("whoever reads the counters has to wait for its turn: %v", err)
			return
		}
	}
}
