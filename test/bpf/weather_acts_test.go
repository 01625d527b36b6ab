// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// run is a runtime that makes a container and becomes its entrypoint: a program by
// its path, or another act of this one. Arguments: cgroup folder, container id, the
// entrypoint and its arguments.
func run(args []string) error {
	runtime.LockOSThread() // namespaces belong to threads
	if err := join(args); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	entrypoint := args[2:]
	if filepath.IsAbs(entrypoint[0]) {
		return unix.Exec(entrypoint[0], entrypoint, nil)
	}
	return unix.Exec("/proc/self/exe", append([]string{"exe"}, entrypoint...), nil)
}

// forker is a program that forks so many processes, one after the other and each
// of which ends at once, or without end for 0; then it says that it is up, and ends
// with its standard input: badly if that had anything in it. A program of a few
// instructions forks ten times as fast as one of Go, which stands in where there is
// none for the processor.
func forker(t *testing.T, n uint32) []string {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		return []string{program(t, "forker"), "bomb", strconv.Itoa(int(n))}
	}
	const base, header = 0x400000, 64 + 56
	code := slices.Concat(
		[]byte{0xbb}, binary.LittleEndian.AppendUint32(nil, n), // mov ebx, n
		[]byte{0xb8, 58, 0, 0, 0, 0x0f, 5, 0x85, 0xc0, 0x74, 0x43},                                                 // again: vfork; jz child
		[]byte{0xbf, 0xff, 0xff, 0xff, 0xff, 0x31, 0xf6, 0x31, 0xd2, 0x45, 0x31, 0xd2, 0xb8, 61, 0, 0, 0, 0x0f, 5}, // wait4(-1, 0, 0, 0)
		[]byte{0xff, 0xcb, 0x75, 0xde}, // dec ebx; jnz again
		[]byte{0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0x48, 0x8d, 0x35, 0x24, 0, 0, 0, 0xba, 3, 0, 0, 0, 0x0f, 5}, // write(1, text, 3)
		[]byte{0x31, 0xc0, 0x31, 0xff, 0x48, 0x8d, 0x74, 0x24, 0xc0, 0xba, 1, 0, 0, 0, 0x0f, 5},                // read(0, below the stack, 1)
		[]byte{0x89, 0xc7, 0xeb, 2},        // its result is the exit's
		[]byte{0x31, 0xff},                 // child: exit(0)
		[]byte{0xb8, 60, 0, 0, 0, 0x0f, 5}, // exit
		[]byte("up\n"),
	)
	var file bytes.Buffer
	size := uint64(header + len(code))
	for _, part := range []any{
		elf.Header64{
			Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
			Entry: base + header, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
		},
		elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 4096},
		code,
	} {
		if err := binary.Write(&file, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "forker")
	if err := os.WriteFile(path, file.Bytes(), 0o755); err != nil { //nolint:gosec // it is to be executed
		t.Fatal(err)
	}
	return []string{path}
}

// bomb is the forker in Go.
func bomb(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	debug.SetGCPercent(-1)
	runtime.LockOSThread()
	for i := 0; n == 0 || i < n; i++ {
		if err := fork(); err != nil {
			return err
		}
	}
	fmt.Println("up")
	said, err := os.Stdin.Read(make([]byte, 1))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	os.Exit(said)
	return nil
}

// after says that it is up, waits for a line, and executes what it is told.
func after(args []string) error {
	fmt.Println("up")
	if _, err := io.ReadFull(os.Stdin, make([]byte, len("go\n"))); err != nil {
		return err
	}
	return unix.Exec(args[0], args, nil)
}

// fork makes a process that ends at once, and waits for it. What is forked of a Go
// program may do nothing but system calls.
func fork() error {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		for {
			_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	_, err := syscall.Wait4(int(pid), nil, 0, nil)
	return err
}

// makeDir makes a cgroup's folder and removes it with the test.
func makeDir(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
		t.Fatal(err)
	}
	t.Cleanup(func() { removeCgroup(t, dir) })
	subtree(t, filepath.Dir(dir))
}

// subtree gives the cgroups below one their own cpu controller, where that is to
// be asked for.
func subtree(t *testing.T, dir string) {
	t.Helper()
	control := filepath.Join(dir, "cgroup.subtree_control")
	if _, err := os.Stat(control); err == nil {
		write(t, control, "+cpu")
	}
}
