// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

func always(context.Context) string { return "" }

// packageReady asks only for tests to be there.
func packageReady(pattern string) func(context.Context) string {
	return func(context.Context) string {
		directory := strings.TrimSuffix(strings.TrimPrefix(pattern, "./"), "/...")
		if !hasTests(directory) {
			return "there are no tests in " + directory
		}
		return ""
	}
}

func bpfReady(ctx context.Context) string {
	if reason := packageReady("./test/bpf/...")(ctx); reason != "" {
		return reason
	}
	if os.Geteuid() != 0 {
		return "needs root: run it with sudo"
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return "this kernel has no type information at /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)"
	}
	if err := makeMap(); err != nil {
		return fmt.Sprintf("this machine refuses BPF: %v", err)
	}
	return ""
}

func e2eReady(ctx context.Context) string {
	if reason := packageReady("./test/e2e/...")(ctx); reason != "" {
		return reason
	}
	if os.Getenv("KUBECONFIG") == "" && os.Geteuid() != 0 {
		return "needs root for the one-node cluster, or KUBECONFIG for another one"
	}
	return ""
}

func hasTests(directory string) bool {
	found := false
	_ = filepath.WalkDir(directory, func(path string, _ os.DirEntry, err error) error {
		found = found || (err == nil && strings.HasSuffix(path, "_test.go"))
		return nil
	})
	return found
}

// makeMap asks the kernel for the smallest BPF map: the bare system call, so that
// the answer does not depend on the code under test.
func makeMap() error {
	attributes := struct{ mapType, keySize, valueSize, maxEntries uint32 }{unix.BPF_MAP_TYPE_ARRAY, 4, 4, 1}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_MAP_CREATE, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
	if errno != 0 {
		return errno
	}
	return unix.Close(int(fd))
}
