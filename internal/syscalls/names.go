// SPDX-License-Identifier: Apache-2.0

// Package syscalls names system calls.
package syscalls

import (
	"fmt"

	"github.com/elastic/go-seccomp-bpf/arch"
)

// Names returns the names of this architecture's system calls. A number that
// the table does not have is named syscall_N.
func Names() (func(nr int) string, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, fmt.Errorf("find the system call table: %w", err)
	}
	return func(nr int) string {
		if name, ok := info.SyscallNumbers[nr]; ok {
			return name
		}
		return fmt.Sprintf("syscall_%d", nr)
	}, nil
}
