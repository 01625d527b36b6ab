// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
)

// hierarchy is where the cpu controller of this machine is mounted.
func hierarchy(t *testing.T) cgroup.Hierarchy {
	t.Helper()
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mounts.Close() }()
	h, err := cgroup.FindHierarchy(mounts, func(root string) string {
		raw, _ := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
		return string(raw)
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// makeCgroup makes a cgroup in the cpu controller's hierarchy and removes it
// with the test. It returns its folder and its path in the hierarchy.
func makeCgroup(t *testing.T, name string) (dir, path string) {
	t.Helper()
	h := hierarchy(t)
	if h.V2 {
		write(t, filepath.Join(h.Root, "cgroup.subtree_control"), "+cpu")
	}
	path = fmt.Sprintf("/kernel-gossip-test-%d-%s", os.Getpid(), name)
	dir = filepath.Join(h.Root, path)
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
		t.Fatal(err)
	}
	t.Cleanup(func() { removeCgroup(t, dir) })
	return dir, path
}

// removeCgroup waits for the cgroup's processes to be gone: their deaths are
// known a little before they leave it.
func removeCgroup(t *testing.T, dir string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		err := os.Remove(dir)
		if err == nil || os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("remove the cgroup: %v", err)
			return
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

// limit sets a CPU limit in microseconds per 100 ms.
func limit(t *testing.T, dir string, quota int) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "cpu.max")); err == nil {
		write(t, filepath.Join(dir, "cpu.max"), fmt.Sprintf("%d 100000", quota))
		return
	}
	write(t, filepath.Join(dir, "cpu.cfs_quota_us"), strconv.Itoa(quota))
}

func cpuStat(t *testing.T, dir string) map[string]uint64 {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "cpu.stat"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	stat := map[string]uint64{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		stat[name] = n
	}
	return stat
}

// atRest reads cpu.stat until two readings, two periods apart, are the same:
// the period timer may count on for a moment after the last task has gone.
func atRest(t *testing.T, dir string) map[string]uint64 {
	t.Helper()
	before := cpuStat(t, dir)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		time.Sleep(200 * time.Millisecond)
		now := cpuStat(t, dir)
		if now["nr_periods"] == before["nr_periods"] && now["nr_throttled"] == before["nr_throttled"] {
			return now
		}
		before = now
	}
	t.Fatal("the cgroup does not come to rest")
	return nil
}

// atOneMoment reads something of a group at rest between two readings of its cpu.stat
// that say the same: a period timer that is late counts one more at any moment.
func atOneMoment(t *testing.T, dir string, read func() error) map[string]uint64 {
	t.Helper()
	before := atRest(t, dir)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if err := read(); err != nil {
			t.Fatal(err)
		}
		after := cpuStat(t, dir)
		if maps.Equal(before, after) {
			return after
		}
		before = after
	}
	t.Fatal("the cgroup does not come to rest")
	return nil
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}
