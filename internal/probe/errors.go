// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Reasons for which the kernel may refuse to be heard. Load and Arm wrap one of
// them where they can tell.
var (
	// ErrNotPermitted: the process lacks CAP_BPF or CAP_PERFMON, or BPF is locked down.
	ErrNotPermitted = errors.New("not permitted")
	// ErrNoBTF: the kernel was built without CONFIG_DEBUG_INFO_BTF, and no file stands in.
	ErrNoBTF = errors.New("no BTF")
	// ErrKernelTooOld: the kernel lacks what the programs cannot do without, or a tracepoint.
	ErrKernelTooOld = errors.New("kernel too old")
	// ErrSwitchedOff: what would be needed was taken away by Options.Without.
	ErrSwitchedOff = errors.New("switched off")
)

const btfFile = "/sys/kernel/btf/vmlinux"

// explain turns an error of the eBPF library into one line that says what to
// do. The original error, with the verifier's log, stays in the chain.
func explain(what string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) && !isVerifier(err):
		return &Error{ErrNotPermitted, what + ": not permitted: run as root or with CAP_BPF and CAP_PERFMON " +
			"(and check that the kernel is not in lockdown=confidentiality)", err}
	case isVerifier(err):
		return fmt.Errorf("%s: this kernel's verifier refuses them: please report it with the output of uname -a: %w", what, err)
	case errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.EINVAL):
		return &Error{ErrKernelTooOld, fmt.Sprintf("%s: not supported by this kernel (%v)", what, err), err}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// explainLoad knows one more reason: limited is why the limit of locked memory
// could not be lifted, on a kernel where maps count against it.
func explainLoad(err, limited error) error {
	const what = "load the BPF programs"
	if limited != nil && errors.Is(err, unix.EPERM) {
		return &Error{ErrNotPermitted, what + ": not permitted: run as root or with CAP_BPF and CAP_PERFMON, " +
			"and on this kernel (up to 5.10) with CAP_SYS_RESOURCE or without a limit of locked memory (ulimit -l unlimited)", err}
	}
	return explain(what, err)
}

func isVerifier(err error) bool {
	var v *ebpf.VerifierError
	return errors.As(err, &v)
}

// Error is a refusal by the kernel: one line for people, a reason for
// errors.Is, and the cause with all its detail.
type Error struct {
	Reason  error
	Message string
	Cause   error
}

func (e *Error) Error() string { return e.Message }

// Unwrap gives both the reason and the cause.
func (e *Error) Unwrap() []error { return []error{e.Reason, e.Cause} }

// Explain turns an error of the eBPF library into one line that says what to do;
// see Error. what is what was tried.
func Explain(what string, err error) error { return explain(what, err) }
