// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Waiting for a disk is only told where one is waited for, and there it is: the folder
// for temporary files may be in memory.
func TestWaitingForADisk(t *testing.T) {
	k := listen(t)
	k.arm()
	s := spell{way: "disk", args: func(t *testing.T) []string { return []string{t.TempDir()} }}
	path := program(t, runtimeName)
	k.insist(t, func(int) string {
		said, phase, wrong := k.waits(t, path, s)
		if wrong != "" {
			return wrong
		}
		t.Logf("blocked for %s by the act's own account; told: %+v", said.blocked(), *phase.Waits)
		if told := time.Duration(phase.Waits.DiskMicroseconds) * time.Microsecond; told > said.blocked()+30*time.Millisecond {
			return fmt.Sprintf("told %s of waiting for a disk; the act was blocked for %s", told, said.blocked())
		} else if told == 0 && said.blocked() > 20*time.Millisecond && onDisk(t) {
			return fmt.Sprintf("nothing told of waiting for a disk; the act was blocked for %s", said.blocked())
		}
		return ""
	})
}

// onDisk is true if temporary files are on a file system that has a disk below it, and
// whose waits for it the kernel accounts as such.
func onDisk(t *testing.T) bool {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(t.TempDir(), &fs); err != nil {
		t.Fatal(err)
	}
	switch fs.Type {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC:
		return true
	}
	return false
}
