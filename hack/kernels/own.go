// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// own are the machines of a kernel of the user's (KG_KERNEL_IMAGE, a bzImage for amd64)
// instead of the matrix: one with cgroup v2, one with the cpu controller on v1. Both run
// all tests; KG_KERNELS=cgroup-v2 chooses one of them.
func own(image, types string) ([]machine, error) {
	version, err := versionOf(image)
	if err != nil {
		return nil, fmt.Errorf("KG_KERNEL_IMAGE: %w", err)
	}
	if types != "" {
		if _, err := os.Stat(types); err != nil {
			return nil, fmt.Errorf("KG_KERNEL_BTF: %w", err)
		}
	}
	m := machine{suite: "own", version: version, file: image, types: types, whole: true}
	v2, v1 := m, m
	v2.cpus, v1.cpus, v1.v1 = 2, 1, true
	return []machine{v2, v1}, nil
}

// versionOf reads what uname -r will say from the head of a kernel image
// (Documentation/x86/boot.rst, "The Real-Mode Kernel Header": kernel_version).
func versionOf(image string) (string, error) {
	const (
		magic, pointer, from = 0x202, 0x20e, 0x200
		most                 = 64 << 10
	)
	f, err := os.Open(image) //nolint:gosec // the user's own file
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	head, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", image, err)
	}
	if len(head) <= from+pointer || !bytes.Equal(head[magic:magic+4], []byte("HdrS")) {
		return "", errors.New(image + " is no bzImage for amd64")
	}
	at := from + int(binary.LittleEndian.Uint16(head[pointer:]))
	if at >= len(head) {
		return "", errors.New(image + " does not tell its version")
	}
	text, _, _ := bytes.Cut(head[at:], []byte{0})
	version, _, _ := strings.Cut(string(text), " ")
	if version == "" {
		return "", errors.New(image + " does not tell its version")
	}
	return version, nil
}
