// SPDX-License-Identifier: Apache-2.0

package main

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
)

// groups is one cgroup of the command's own in every hierarchy of the machine.
type groups struct {
	roots []string // its directories
	v2    bool
	cpu   string // where the cpu controller is
	mem   string
}

func newGroups(name string) (*groups, error) {
	g := &groups{}
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
	}
	if len(g.roots) == 0 {
		return nil, errors.New("this machine mounts no cgroup hierarchy")
	}
	if g.cpu == "" {
		g.v2, g.cpu, g.mem = true, g.roots[0], g.roots[0]
	}
	return g, g.mkdir("observer")
}

// mkdir makes a cgroup in every hierarchy; on v2 its parents pass their controllers on.
func (g *groups) mkdir(path string) error {
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

func (g *groups) mkdirOne(at string) error {
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

// addPod makes what a kubelet and a runtime make for a pod of two containers with
// CPU limits.
func (g *groups) addPod(uid string) error {
	pod := "kubepods/burstable/pod" + uid
	for _, name := range []string{"", strings.Repeat("a", 32), strings.Repeat("b", 32), strings.Repeat("c", 32)} {
		path := pod
		if name != "" {
			path += "/" + name + strings.ReplaceAll(uid, "-", "")
		}
		if err := g.mkdir(path); err != nil {
			return err
		}
		if name == "" || strings.HasPrefix(name, "c") { // the sandbox has no limit
			continue
		}
		if err := g.limit(path); err != nil {
			return err
		}
	}
	return nil
}

func (g *groups) limit(path string) error {
	file, value := "cpu.cfs_quota_us", "50000"
	if g.v2 {
		file, value = "cpu.max", "50000 100000"
	}
	if err := os.WriteFile(filepath.Join(g.cpu, path, file), []byte(value), 0o600); err != nil {
		return fmt.Errorf("limit a cgroup: %w", err)
	}
	return nil
}

// workingSet is the observer's memory without the page cache that the kernel can drop.
func (g *groups) workingSet() (uint64, error) {
	usage, key := "memory.usage_in_bytes", "total_inactive_file"
	if g.v2 {
		usage, key = "memory.current", "inactive_file"
	}
	raw, err := os.ReadFile(filepath.Join(g.mem, "observer", usage))
	if err != nil {
		return 0, err
	}
	all, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil {
		return 0, err
	}
	stat, err := os.Open(filepath.Join(g.mem, "observer", "memory.stat"))
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

// remove removes all that was made, the deepest first.
func (g *groups) remove() error {
	var all []error
	for _, root := range g.roots {
		var made []string
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				made = append(made, path)
			}
			return nil
		})
		for _, path := range slices.Backward(made) {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				all = append(all, err)
			}
		}
	}
	return errors.Join(all...)
}
