// SPDX-License-Identifier: Apache-2.0

// Package syscalls names system calls.
package syscalls

import (
	"fmt"

	"github.com/elastic/go-seccomp-bpf/arch"
)

// Compat is the number under which all 32-bit system calls of a 64-bit kernel are counted:
// their own numbers are those of others in 64 bit (KG_NR_COMPAT in bpf/syscall.h).
const Compat = 511

// Names returns the names of this architecture's system calls. A number that
// the table does not have is named syscall_N; Compat is "compat".
func Names() (func(nr int) string, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, fmt.Errorf("find the system call table: %w", err)
	}
	return func(nr int) string {
		if nr == Compat {
			return "compat"
		}
		if name, ok := info.SyscallNumbers[nr]; ok {
			return name
		}
		return fmt.Sprintf("syscall_%d", nr)
	}, nil
}
