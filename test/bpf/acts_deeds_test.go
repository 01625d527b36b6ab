// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// manyWrites is more than are told one by one (KG_DEEDS in bpf/gossip.h).
const manyWrites = 40

// deeds does what runtimes do to a container, and what only looks like it.
// Arguments: mark, cgroup folder, an ordinary file.
func deeds(args []string) error {
	runtime.LockOSThread()
	return errors.Join(joinNamespaces(), writeControlFiles(args[1], args[2]), applySeccomp())
}

func joinNamespaces() error {
	for _, join := range []struct {
		kind string
		flag int
	}{{"net", unix.CLONE_NEWNET}, {"uts", unix.CLONE_NEWUTS}, {"ipc", 0}} {
		fd, err := unix.Open("/proc/thread-self/ns/"+join.kind, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := unix.Setns(fd, join.flag); err != nil {
			return fmt.Errorf("setns %s: %w", join.kind, err)
		}
		_ = unix.Close(fd)
	}
	if unix.Setns(-1, unix.CLONE_NEWNET) == nil {
		return errors.New("a setns that must fail did not")
	}
	return nil
}

func writeControlFiles(dir, ordinary string) error {
	limitFile, text := filepath.Join(dir, "cpu.max"), "50000 100000"
	if _, err := os.Stat(limitFile); err != nil {
		limitFile, text = filepath.Join(dir, "cpu.cfs_quota_us"), "50000"
	}
	for range manyWrites {
		if err := os.WriteFile(limitFile, []byte(text), 0); err != nil {
			return err
		}
	}
	if os.WriteFile(limitFile, []byte("no number"), 0) == nil {
		return errors.New("a write that must fail did not")
	}
	if err := os.WriteFile(ordinary, []byte(text), 0o600); err != nil {
		return err
	}
	return join([]string{dir})
}

// applySeccomp puts a filter that allows everything in force by both system
// calls, and asks in vain for one that there is not.
func applySeccomp() error {
	at, done := allowAll()
	defer done()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	const modeFilter, setModeFilter, none = 2, 1, 99
	if err := unix.Prctl(unix.PR_SET_SECCOMP, modeFilter, at, 0, 0); err != nil {
		return fmt.Errorf("seccomp by prctl: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, setModeFilter, 0, at); errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, none, 0, at); errno == 0 {
		return errors.New("a seccomp that must fail did not")
	}
	return nil
}

// allowAll is where a filter lies that allows everything, until done is called.
func allowAll() (at uintptr, done func()) {
	const allow = 0x7fff0000 // SECCOMP_RET_ALLOW, include/uapi/linux/seccomp.h
	const ret = 0x06         // BPF_RET | BPF_K
	filter := &unix.SockFilter{Code: ret, K: allow}
	program := &unix.SockFprog{Len: 1, Filter: filter}
	return uintptr(unsafe.Pointer(program)), func() {
		runtime.KeepAlive(filter)
		runtime.KeepAlive(program)
	}
}

// enter executes a program in a mount namespace of its own. Arguments: mark,
// program, its arguments.
func enter(args []string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	return unix.Exec(args[1], args[1:], os.Environ())
}

// apart executes a program in a network namespace of its own. Arguments: program,
// its arguments.
func apart(args []string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	return unix.Exec(args[0], args, os.Environ())
}

// mount is a shim that mounts a container's root. Arguments: mark, target.
func mount(args []string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount("tmpfs", args[1], "tmpfs", 0, "")
}

// hog uses more memory than its cgroup has. Arguments: mark, cgroup folder.
func hog(args []string) error {
	if err := join(args[1:]); err != nil {
		return err
	}
	var all [][]byte
	for {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		all = append(all, block)
		runtime.KeepAlive(all)
	}
}

// links asks for network devices in three messages of two sends, and for what is
// none. It tells how many devices there are afterwards, besides the loopback.
func links([]string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	kernel := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	const request, create = unix.NLM_F_REQUEST, unix.NLM_F_REQUEST | unix.NLM_F_CREATE
	if err := unix.Sendto(fd, newLink("one", create), 0, kernel); err != nil {
		return err
	}
	batch := append(newLink("two", create), newLink("three", create)...)
	if _, err := unix.SendmsgN(fd, append(batch, newLink("two", request)...), nil, kernel, 0); err != nil {
		return err
	}
	devices, err := os.ReadDir("/proc/thread-self/net/dev_snmp6")
	if err != nil {
		devices = nil // a kernel without IPv6
	}
	fmt.Println(max(0, len(devices)-1))
	return nil
}

// newLink is the message that asks for a bridge of that name (include/uapi/linux/rtnetlink.h).
func newLink(name string, flags uint16) []byte {
	attribute := func(kind uint16, value []byte) []byte {
		a := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
		a = append(binary.NativeEndian.AppendUint16(a, kind), value...)
		return append(a, make([]byte, -len(a)&3)...)
	}
	body := make([]byte, unix.SizeofIfInfomsg)
	body = append(body, attribute(unix.IFLA_IFNAME, append([]byte(name), 0))...)
	body = append(body, attribute(unix.IFLA_LINKINFO, attribute(unix.IFLA_INFO_KIND, []byte("bridge")))...)
	m := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	m = binary.NativeEndian.AppendUint16(m, unix.RTM_NEWLINK)
	m = binary.NativeEndian.AppendUint16(m, flags)
	return append(append(m, make([]byte, 8)...), body...)
}
