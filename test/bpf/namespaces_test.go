// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func init() { acts["bornapart"] = bornApart }

// The namespaces that a process is born into are told, a time namespace too, which only
// clone3 can ask for.
func TestNamespacesOfClone3(t *testing.T) {
	if _, err := os.Stat("/proc/self/ns/time"); err != nil {
		t.Skip("this kernel has no time namespaces (Linux 5.6, CONFIG_TIME_NS), so that none can be told; each kernel of make test-kernels has them, and TestContainer tells of the other kinds here")
	}
	k := listen(t)
	k.arm()
	path := program(t, runtimeName)
	k.insist(t, func(try int) string {
		open, _, wrong := k.run(t, exec.Command(path, "bornapart", fmt.Sprint("bornapart-mark-", try)))
		if wrong != "" {
			return wrong
		}
		var made []int64
		for _, e := range k.of(open.Session, event.Namespaces) {
			made = append(made, e.Value)
		}
		if want := []int64{unix.CLONE_NEWTIME | unix.CLONE_NEWUTS, unix.CLONE_NEWTIME}; !slices.Equal(made, want) {
			return fmt.Sprintf("made %#x, want %#x", made, want)
		}
		return ""
	})
}

// bornApart makes processes in namespaces of their own, which end at once.
func bornApart([]string) error {
	return errors.Join(bornInto(unix.CLONE_NEWTIME|unix.CLONE_NEWUTS), bornInto(unix.CLONE_NEWTIME))
}

func bornInto(flags uint64) error {
	// include/uapi/linux/sched.h struct clone_args, as of Linux 5.3.
	arguments := struct{ flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls uint64 }{
		flags: flags, exitSignal: uint64(syscall.SIGCHLD),
	}
	pid, _, errno := syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&arguments)), unsafe.Sizeof(arguments), 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 { // what is forked of a Go program may do nothing but system calls
		for {
			_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	_, err := syscall.Wait4(int(pid), nil, 0, nil)
	return err
}
