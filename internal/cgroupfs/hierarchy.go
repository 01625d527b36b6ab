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

// Where Find looks if it is told no folder: where the DaemonSet mounts the host's,
// and where every distribution has it.
const (
	hostRoot = "/host/sys/fs/cgroup"
	ownRoot  = "/sys/fs/cgroup"
)

// Find finds the cpu controller's hierarchy in a folder or right below it, as
// cgroup v1 has it. Without a folder it looks in /host/sys/fs/cgroup if that is
// there, else in /sys/fs/cgroup, where a container sees its own cgroup only: that
// is no use.
func Find(folder string) (Hierarchy, error) {
	if folder != "" {
		return find(folder)
	}
	if _, err := os.Stat(hostRoot); err == nil {
		return find(hostRoot)
	}
	h, err := find(ownRoot)
	if err == nil && !h.whole() {
		return Hierarchy{}, fmt.Errorf("%w: %s shows this container's own: mount the host's at %s", ErrNotFound, ownRoot, hostRoot)
	}
	return h, err
}

// whole is true for a hierarchy whose root is the kernel's: that alone has, or alone
// lacks, a file.
func (h Hierarchy) whole() bool {
	if h.V2 {
		return !exists(h.Root, "cgroup.type")
	}
	return exists(h.Root, "release_agent")
}

func find(folder string) (Hierarchy, error) {
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
