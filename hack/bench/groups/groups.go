// SPDX-License-Identifier: Apache-2.0

// Package groups makes cgroups of the measurements' own in every hierarchy of the
// machine, as a kubelet and a runtime make them for pods.
package groups

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Groups is one cgroup of the command's own in every hierarchy of the machine.
type Groups struct {
	name  string
	roots []string // its directories
	v2    bool
	cpu   string // where the cpu controller is
	mem   string
	acct  string // where CPU time is counted
}

// New makes the cgroup; Remove removes it with all that was made below.
func New(name string) (*Groups, error) {
	g := &Groups{name: name}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if fields[2] != "cgroup" && fields[2] != "cgroup2" {
			continue
		}
		root := filepath.Join(fields[1], name)
		options := strings.Split(fields[3], ",")
		g.roots = append(g.roots, root)
		if fields[2] == "cgroup" && slices.Contains(options, "cpu") {
			g.cpu = root
		}
		if fields[2] == "cgroup" && slices.Contains(options, "memory") {
			g.mem = root
		}
		if fields[2] == "cgroup" && slices.Contains(options, "cpuacct") {
			g.acct = root
		}
	}
	if len(g.roots) == 0 {
		return nil, errors.New("this machine mounts no cgroup hierarchy")
	}
	if g.cpu == "" {
		g.v2, g.cpu, g.mem, g.acct = true, g.roots[0], g.roots[0], g.roots[0]
	}
	return g, g.Mkdir("observer")
}

// Mkdir makes a cgroup in every hierarchy; on v2 its parents pass their controllers on.
func (g *Groups) Mkdir(path string) error {
	for _, root := range g.roots {
		at := root
		if err := g.mkdirOne(at); err != nil {
			return err
		}
		for part := range strings.SplitSeq(path, "/") {
			at = filepath.Join(at, part)
			if err := g.mkdirOne(at); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *Groups) mkdirOne(at string) error {
	if g.v2 {
		_ = os.WriteFile(filepath.Join(filepath.Dir(at), "cgroup.subtree_control"), []byte("+cpu +memory"), 0o600)
	}
	if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make a cgroup: %w", err)
	}
	return inheritCpuset(at)
}

// inheritCpuset gives a new cgroup of v1 the CPUs of its parent: without any it
// accepts no process.
func inheritCpuset(at string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		own, err := os.ReadFile(filepath.Join(at, file))
		if err != nil || strings.TrimSpace(string(own)) != "" {
			continue
		}
		above, err := os.ReadFile(filepath.Join(filepath.Dir(at), file))
		if err == nil {
			err = os.WriteFile(filepath.Join(at, file), above, 0o600)
		}
		if err != nil && !isV2(at) {
			return fmt.Errorf("set %s: %w", file, err)
		}
	}
	return nil
}

func isV2(at string) bool {
	_, err := os.Stat(filepath.Join(at, "cgroup.controllers"))
	return err == nil
}

// AddPod makes what a kubelet and a runtime make for a pod of two containers with
// CPU limits.
func (g *Groups) AddPod(uid string) error {
	pod := "kubepods/burstable/pod" + uid
	for _, name := range []string{"", strings.Repeat("a", 32), strings.Repeat("b", 32), strings.Repeat("c", 32)} {
		path := pod
		if name != "" {
			path += "/" + name + strings.ReplaceAll(uid, "-", "")
		}
		if err := g.Mkdir(path); err != nil {
			return err
		}
		if name == "" || strings.HasPrefix(name, "c") { // the sandbox has no limit
			continue
		}
		if err := g.Limit(path); err != nil {
			return err
		}
	}
	return nil
}

// Limit gives a cgroup half a core.
func (g *Groups) Limit(path string) error {
	file, value := "cpu.cfs_quota_us", "50000"
	if g.v2 {
		file, value = "cpu.max", "50000 100000"
	}
	if err := os.WriteFile(filepath.Join(g.cpu, path, file), []byte(value), 0o600); err != nil {
		return fmt.Errorf("limit a cgroup: %w", err)
	}
	return nil
}

// Procs are the files by which a process enters a cgroup in all hierarchies.
func (g *Groups) Procs(path string) []string {
	var all []string
	for _, root := range g.roots {
		all = append(all, filepath.Join(root, path, "cgroup.procs"))
	}
	return all
}

// Join moves a process into a cgroup in all hierarchies.
func (g *Groups) Join(path string, pid int) error {
	for _, file := range g.Procs(path) {
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("put a process into its cgroup: %w", err)
		}
	}
	return nil
}

// Dir is a cgroup's folder in the cpu controller's hierarchy; its inode is its id.
func (g *Groups) Dir(path string) string { return filepath.Join(g.cpu, path) }

// Path is a cgroup's path from the hierarchies' root.
func (g *Groups) Path(path string) string { return filepath.Join("/", g.name, path) }

// CPU is the time that a cgroup's processes, and those below it, have used.
func (g *Groups) CPU(path string) (time.Duration, error) {
	file := filepath.Join(g.acct, path, "cpuacct.usage")
	if g.v2 {
		file = filepath.Join(g.acct, path, "cpu.stat")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("read what a cgroup used: %w", err)
	}
	fields := strings.Fields(string(raw))
	if g.v2 { // usage_usec N comes first
		n, err := strconv.ParseInt(fields[1], 10, 64)
		return time.Duration(n) * time.Microsecond, err
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	return time.Duration(n), err
}

// Favor gives the measurements ten times the weight of others on the machine.
func (g *Groups) Favor() error {
	file, value := "cpu.shares", "10240"
	if g.v2 {
		file, value = "cpu.weight", "1000"
	}
	return os.WriteFile(filepath.Join(g.cpu, file), []byte(value), 0)
}

// WorkingSet is a cgroup's memory without the page cache that the kernel can drop.
func (g *Groups) WorkingSet(path string) (uint64, error) {
	usage, key := "memory.usage_in_bytes", "total_inactive_file"
	if g.v2 {
		usage, key = "memory.current", "inactive_file"
	}
	raw, err := os.ReadFile(filepath.Join(g.mem, path, usage))
	if err != nil {
		return 0, err
	}
	all, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil {
		return 0, err
	}
	stat, err := os.Open(filepath.Join(g.mem, path, "memory.stat"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = stat.Close() }()
	lines := bufio.NewScanner(stat)
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), key+" "); ok {
			inactive, err := strconv.ParseUint(v, 10, 64)
			return all - min(all, inactive), err
		}
	}
	return all, lines.Err()
}

// Remove removes all that was made, the deepest first.
func (g *Groups) Remove() error {
	var all []error
	for _, root := range g.roots {
		all = append(all, removeTree(root))
	}
	return errors.Join(all...)
}

// RemoveBelow removes one cgroup with all below it.
func (g *Groups) RemoveBelow(path string) error {
	var all []error
	for _, root := range g.roots {
		all = append(all, removeTree(filepath.Join(root, path)))
	}
	return errors.Join(all...)
}

func removeTree(root string) error {
	var made []string
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			made = append(made, path)
		}
		return nil
	})
	var all []error
	for _, path := range slices.Backward(made) {
		all = append(all, rmdir(path))
	}
	return errors.Join(all...)
}

// rmdir waits for a killed process: it leaves its cgroup a little after its death is
// known.
func rmdir(path string) error {
	err := os.Remove(path)
	for deadline := time.Now().Add(5 * time.Second); errors.Is(err, syscall.EBUSY) && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
