// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/syscalls"
)

// small is a machine of 32 bit whose programs a kernel of 64 bit may run as well.
type small struct {
	machine uint16 // of its ELF files
	flags   uint32
	code    func(text uint32) []byte // what the program does; text is where its path lies
}

// smalls are by the architecture of 64 bit. Each program makes five system calls, the
// numbers of all but the last mean others in 64 bit: three times accept, then mount,
// with a path where a mount has its target; the last is exit.
var smalls = map[string]small{
	"amd64": {machine: 3, code: func(text uint32) (c []byte) {
		call := func(nr byte) []byte { return []byte{0xb8, nr, 0, 0, 0, 0xcd, 0x80} } // mov eax, nr; int 0x80
		c = append(c, 0x31, 0xdb)                                                     // xor ebx, ebx
		for range 3 {
			c = append(c, call(43)...) // times
		}
		c = append(c, 0x89, 0xe3, 0x89, 0xe1, 0x89, 0xe2) // ebx, ecx, edx = esp
		c = append(binary.LittleEndian.AppendUint32(append(c, 0xbe), text), call(165)...)
		c = append(c, 0x31, 0xdb) // behind getresuid
		return append(c, call(1)...)
	}},
	"arm64": {machine: 40, flags: 0x05000000, code: func(text uint32) (c []byte) { // of the 5th EABI
		call := func(nr uint32) []uint32 { return []uint32{0xe3a07000 | nr, 0xef000000} } // mov r7, #nr; svc 0
		words := []uint32{0xe3a00000}                                                     // mov r0, #0
		for range 3 {
			words = append(words, call(202)...) // getegid32
		}
		words = append(words, 0xe59f0014, 0xe1a01000)          // ldr r0, [pc, #20]; mov r1, r0
		words = append(append(words, call(40)...), 0xe3a00000) // rmdir of what is not there
		for _, w := range append(append(words, call(1)...), text) {
			c = binary.LittleEndian.AppendUint32(c, w)
		}
		return c
	}},
}

// smallProgram writes a program of 32 bit.
func smallProgram(t *testing.T, path string) string {
	t.Helper()
	of, ok := smalls[runtime.GOARCH]
	if !ok {
		t.Skip("32-bit calls of this architecture have no test")
	}
	const base, headers = 0x08048000, 52 + 32
	text := base + headers + uint32(len(of.code(0)))
	body := append(append(of.code(text), path...), 0)
	size := uint32(headers + len(body))
	var f bytes.Buffer
	for _, part := range []any{
		[16]byte{0x7f, 'E', 'L', 'F', 1, 1, 1}, [2]uint16{2, of.machine}, // executable
		[5]uint32{1, base + headers, 52, 0, of.flags}, [6]uint16{52, 32, 1, 0, 0, 0},
		[8]uint32{1, 0, base, base, size, size, 5, 4096},
		body,
	} {
		if err := binary.Write(&f, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(name, f.Bytes(), 0o700); err != nil { //nolint:gosec // it is to be executed
		t.Fatal(err)
	}
	return name
}

// A 32-bit system call is counted as such, and not taken for that of the same number.
func TestSyscallsOf32Bit(t *testing.T) {
	needKernel(t)
	const target = "/run/netns/of-32-bit"
	small := smallProgram(t, target)
	if err := exec.Command(small).Run(); errors.Is(err, unix.ENOEXEC) {
		t.Skip("this kernel runs no 32-bit programs: those of make test-kernels do")
	} else if err != nil {
		t.Fatal(err)
	}
	k := listen(t)
	k.arm()
	path := program(t, runtimeName)
	k.insist(t, func(try int) string {
		if err := exec.Command(small).Run(); err != nil { // as a bystander
			t.Fatal(err)
		}
		open, _, wrong := k.run(t, exec.Command(path, "enter", fmt.Sprint("small-mark-", try), small))
		if wrong != "" {
			return wrong
		}
		if n := k.of(0, event.NetnsBind); len(n) != 0 && n[0].File == target {
			t.Fatalf("told %+v", n)
		}
		c := k.counts(open.Session).Workload
		if n := k.of(open.Session, event.Accept); len(n) != 0 || len(c.Syscalls) != 1 || c.Syscalls[syscalls.Compat] != 5 {
			return fmt.Sprintf("counted %v, accepted %+v", c.Syscalls, n)
		}
		return ""
	})
}

// Whoever does the same without end is counted without end, and told up to a bound.
func TestDeedsWithoutEnd(t *testing.T) {
	k := listen(t)
	k.arm()
	path := program(t, runtimeName)
	k.insist(t, func(try int) string {
		open, _, wrong := k.run(t, exec.Command(path, "tireless", fmt.Sprint("tireless-mark-", try)))
		if wrong != "" {
			return wrong
		}
		const told = 32 // KG_DEEDS
		for _, kind := range []event.Kind{event.Setns, event.Namespaces, event.Seccomp, event.ExecFailed} {
			if n := len(k.of(open.Session, kind)); n != told {
				return fmt.Sprintf("%d of %s, want %d", n, kind, told)
			}
		}
		if c := k.counts(open.Session).Own; c.Untold != 4*(manyWrites-told) {
			return fmt.Sprintf("%d untold", c.Untold)
		}
		return ""
	})
}

// tireless joins and makes namespaces, applies filters and executes in vain. Argument: mark.
func tireless([]string) error {
	runtime.LockOSThread()
	const modeFilter = 2
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	ns, err := unix.Open("/proc/thread-self/ns/uts", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	filter, done := allowAll()
	defer done()
	for range manyWrites {
		if unix.Exec("/no/such/file", nil, nil) == nil {
			return errors.New("what must fail did not")
		}
		if err := errors.Join(unix.Setns(ns, unix.CLONE_NEWUTS), unix.Unshare(unix.CLONE_NEWUTS), unix.Prctl(unix.PR_SET_SECCOMP, modeFilter, filter, 0, 0)); err != nil {
			return err
		}
	}
	return nil
}

// The entrypoint remains it when another of its threads executes a file.
func TestAnEntrypointThatLeaps(t *testing.T) {
	k := listen(t)
	path := program(t, runtimeName)
	k.insist(t, func(try int) string {
		const many = 70 // more than the ends that are told of a workload
		cmd := exec.Command(path, "enter", fmt.Sprint("leaps-mark-", try), path, "leapto", path, "children", fmt.Sprint(many))
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		open, exit, wrong := k.life(cmd.Process.Pid)
		if wrong != "" {
			return wrong
		}
		c := k.counts(open.Session).Workload
		if told := len(k.of(open.Session, event.Exit)); !exit.Workload || told != 65 || c.Processes != many+1 {
			return fmt.Sprintf("%d ends told of %d processes, the last one %+v", told, c.Processes, exit)
		}
		return ""
	})
}

// leapTo executes a program in a thread that is not the process' first. Arguments: program, its arguments.
func leapTo(args []string) error {
	failed := make(chan error)
	go leapFrom(failed, args[0], args)
	return <-failed
}
