// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const period = 100_000 // µs, the kernel's default

// create is the runtime: it makes the container's cgroup with its limit, starts
// the container's init in new namespaces, tells its pid and waits for it.
// Arguments: pod cgroup, CPU limit in percent of one CPU (0: none), command,
// container id (last, where runc has it).
func create(args []string) error {
	if len(args) != 4 {
		return errors.New("create: pod cgroup, limit, command and container id are needed")
	}
	dir := filepath.Join(args[0], args[3])
	percent, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("create: limit: %w", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if percent > 0 {
		if err := setQuota(dir, percent*period/100); err != nil {
			return err
		}
	}
	cmd := exec.Command("/proc/self/exe", "init", dir, args[2])
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("create: start the container: %w", err)
	}
	fmt.Printf("pid %d\n", cmd.Process.Pid)
	return cmd.Wait()
}

func setQuota(dir string, quota int) error {
	file, text := "cpu.cfs_quota_us", strconv.Itoa(quota)
	if _, err := os.Stat(filepath.Join(dir, "cpu.max")); err == nil {
		file, text = "cpu.max", fmt.Sprintf("%d %d", quota, period)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0); err != nil {
		return fmt.Errorf("set the CPU limit: %w", err)
	}
	return nil
}

// becomeContainer is the container's init, still the runtime's: it joins the cgroup,
// takes a mount namespace, mounts what a container has, and becomes the
// workload. Arguments: cgroup, command.
func becomeContainer(args []string) error {
	if len(args) != 2 {
		return errors.New("init: cgroup and command are needed")
	}
	if err := os.WriteFile(filepath.Join(args[0], "cgroup.procs"), []byte("0"), 0); err != nil {
		return fmt.Errorf("init: join the cgroup: %w", err)
	}
	// Namespaces belong to threads: the same one must go on to execve.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("init: new mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("init: make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("init: mount /proc: %w", err)
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	return fmt.Errorf("init: %w", unix.Exec(self, []string{self, args[1]}, nil))
}
