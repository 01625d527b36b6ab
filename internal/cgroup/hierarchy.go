// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Hierarchy is where the cpu controller is mounted.
type Hierarchy struct {
	Root string
	// V2 is true for the unified hierarchy.
	V2 bool
}

// ErrNoHierarchy says that no mounted hierarchy has the cpu controller.
var ErrNoHierarchy = errors.New("no mounted cgroup hierarchy has the cpu controller: mount cgroup2 on /sys/fs/cgroup")

// FindHierarchy finds the cpu controller in a process' mountinfo
// (proc_pid_mountinfo(5)): on cgroup v1 by the mount's options, on v2 by the
// content of cgroup.controllers, which the caller reads.
func FindHierarchy(mountinfo io.Reader, controllers func(root string) string) (Hierarchy, error) {
	var found Hierarchy
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		mount, kind, ok := strings.Cut(lines.Text(), " - ")
		where, what := strings.Fields(mount), strings.Fields(kind)
		if !ok || len(where) < 5 || len(what) < 3 {
			continue
		}
		switch what[0] {
		case "cgroup":
			if slices.Contains(strings.Split(what[2], ","), "cpu") {
				return Hierarchy{Root: where[4]}, nil
			}
		case "cgroup2":
			if slices.Contains(strings.Fields(controllers(where[4])), "cpu") {
				found = Hierarchy{Root: where[4], V2: true}
			}
		}
	}
	if err := lines.Err(); err != nil {
		return Hierarchy{}, fmt.Errorf("read mountinfo: %w", err)
	}
	if found.Root == "" {
		return Hierarchy{}, ErrNoHierarchy
	}
	return found, nil
}
