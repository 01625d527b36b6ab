// SPDX-License-Identifier: Apache-2.0

// Package cgroupfs hears of cgroups and reads their CPU bandwidth through the
// cgroup file system: it is what is left where the kernel lets nobody hear it
// with BPF, and stands in for single hooks where it lets them hear the rest.
package cgroupfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Hierarchy is the cgroup hierarchy of the cpu controller, as it is mounted.
type Hierarchy struct {
	// Root is the folder of the hierarchy's own root cgroup.
	Root string
	// Usage is the folder of the same cgroup in the cpuacct hierarchy of cgroup v1;
	// it may be Root. On v2 it is Root.
	Usage string
	// V2 is true for the unified hierarchy.
	V2 bool
}

// ErrNotFound says that the cpu controller has no hierarchy below a folder.
var ErrNotFound = errors.New("no cgroup hierarchy of the cpu controller")

// Roots are where Find looks if it is told no folder: where the DaemonSet mounts
// the host's, and where every distribution has it.
var roots = [...]string{"/host/sys/fs/cgroup", "/sys/fs/cgroup"}

// Find finds the cpu controller's hierarchy in a folder or right below it, as
// cgroup v1 has it. Without a folder it looks in /host/sys/fs/cgroup if that is
// there, else in /sys/fs/cgroup.
func Find(folder string) (Hierarchy, error) {
	if folder == "" {
		for _, folder = range roots {
			if _, err := os.Stat(folder); err == nil {
				break
			}
		}
	}
	below, err := os.ReadDir(folder)
	if err != nil {
		return Hierarchy{}, fmt.Errorf("find the cgroup file system: %w", err)
	}
	all := []string{folder}
	for _, e := range below {
		// v1 calls the same folder by two names; a link serves as well.
		all = append(all, filepath.Join(folder, e.Name()))
	}
	if root, ok := first(all, func(dir string) bool { return exists(dir, "cpu.shares") }); ok {
		usage, ok := first(append([]string{root}, all...), func(dir string) bool { return exists(dir, "cpuacct.usage") })
		if !ok {
			return Hierarchy{}, fmt.Errorf("%w below %s that tells usage as well: mount the cpuacct controller", ErrNotFound, folder)
		}
		return Hierarchy{Root: root, Usage: usage}, nil
	}
	if root, ok := first(all, hasCPU); ok {
		return Hierarchy{Root: root, Usage: root, V2: true}, nil
	}
	return Hierarchy{}, fmt.Errorf("%w below %s", ErrNotFound, folder)
}

func first(all []string, is func(string) bool) (string, bool) {
	i := slices.IndexFunc(all, is)
	if i < 0 {
		return "", false
	}
	return all[i], true
}

// hasCPU is true for the root of a unified hierarchy that has the cpu controller.
func hasCPU(dir string) bool {
	raw, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	return err == nil && slices.Contains(strings.Fields(string(raw)), "cpu")
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}
