// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// acts are what the programs of the tests do, by their first argument. One
// of the others is a mark by which a test finds its session.
var acts = map[string]func([]string) error{
	"work":      work,
	"children":  children,
	"orphan":    orphan,
	"born":      born,
	"leap":      leap,
	"leapto":    leapTo,
	"mountat":   mountAt,
	"tireless":  tireless,
	"join":      join,
	"container": container,
	"inside":    inside,
	"nothing":   func([]string) error { return nil },
	"spin":      spin,
	"load":      load,
	"wait":      wait,
	"crowded":   crowded,
	"compete":   compete,
	"deeds":     deeds,
	"enter":     enter,
	"apart":     apart,
	"mount":     mount,
	"hog":       hog,
	"links":     links,
	"run":       run,
	"bomb":      bomb,
	"overhear":  overhear,
	"after":     after,
	"calls":     calls,
	"joinleap":  joinLeap,
	"pace":      pace,
}

// work makes system calls of all sorts, in several threads and child processes.
func work([]string) error {
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			runtime.LockOSThread()
			for range rounds {
				_ = unix.Getppid()
				_, _ = os.ReadFile("/proc/self/stat")
			}
		})
	}
	group.Wait()
	return children([]string{"3"})
}

// children starts as many child processes as its argument says.
func children(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	for range n {
		// Not os/exec: that forks once more, to try pidfds.
		pid, err := syscall.ForkExec("/proc/self/exe", []string{"exe", "nothing"}, nil)
		if err != nil {
			return err
		}
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
			return err
		}
	}
	return nil
}

// orphan starts a process whose parent is not its maker (CLONE_PARENT), as
// runc's stages do.
func orphan([]string) error {
	attr := &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_PARENT}}
	_, err := syscall.ForkExec("/proc/self/exe", []string{"exe", "nothing"}, attr)
	return err
}

// leap executes a file in a thread that is not the process' first. The kernel
// then ends the first thread, and the other one takes over the process' id.
func leap([]string) error {
	return leapTo([]string{"/proc/self/exe", "nothing"})
}

func leapFrom(failed chan<- error, path string, args []string) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		go leapFrom(failed, path, args) // elsewhere, because this thread stays locked
		select {}
	}
	failed <- unix.Exec(path, args, nil)
}

// load only loads the programs and attaches all of them.
func load([]string) error {
	p, err := probe.Load(withTypes(probe.Options{}))
	if err != nil {
		return err
	}
	_, err = p.Arm()
	return errors.Join(err, p.Close())
}

// born starts a child in another cgroup, as a runtime does: where cgroup v2 has
// it, by the clone itself (CLONE_INTO_CGROUP), else the child joins when it
// runs. Arguments: mark, cgroup folder.
func born(args []string) error {
	attr := &syscall.ProcAttr{}
	argv := []string{"exe", "join", args[1]}
	if intoCgroup(args[1]) {
		dir, err := os.Open(args[1])
		if err != nil {
			return err
		}
		defer func() { _ = dir.Close() }()
		attr.Sys = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
		argv = []string{"exe", "nothing"}
	}
	pid, err := syscall.ForkExec("/proc/self/exe", argv, attr)
	if err != nil {
		return err
	}
	_, err = syscall.Wait4(pid, nil, 0, nil)
	return err
}

// intoCgroup is true if a child can be born into the cgroup (v2, Linux 5.7).
func intoCgroup(dir string) bool {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return false
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); err != nil || major == 5 && minor < 7 {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "cgroup.controllers"))
	return err == nil
}

// join moves this process into the cgroup.
func join(args []string) error {
	return os.WriteFile(filepath.Join(args[0], "cgroup.procs"), []byte("0"), 0)
}

func spin([]string) error {
	for i := 0; ; i++ {
		_ = i
	}
}

// container is a runtime: a cgroup, new namespaces, a mount that succeeds and
// one that fails, an exec that fails, and an entrypoint. Arguments: mark,
// cgroup folder.
func container(args []string) error {
	runtime.LockOSThread() // namespaces belong to threads
	if err := join(args[1:]); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	if unix.Mount("none", "/no/such/folder", "tmpfs", 0, "") == nil || unix.Exec("/no/such/entrypoint", nil, nil) == nil {
		return errors.New("what must fail did not")
	}
	return unix.Exec("/proc/self/exe", []string{"exe", "inside"}, nil)
}

// inside is a container's workload: it listens and accepts once.
func inside([]string) error {
	if err := loopbackUp(); err != nil {
		return err
	}
	l, err := net.Listen("tcp4", "127.0.0.1:4711")
	if err != nil {
		return err
	}
	go func() {
		if c, err := net.Dial("tcp4", l.Addr().String()); err == nil {
			_ = c.Close()
		}
	}()
	c, err := l.Accept()
	if err != nil {
		return err
	}
	return c.Close()
}

// loopbackUp switches on the loopback device of a new network namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}
