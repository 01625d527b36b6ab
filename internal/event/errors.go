// SPDX-License-Identifier: Apache-2.0

package event

import "errors"

// What the kernel's side says of cgroups beside failing.
var (
	// ErrGone says that a cgroup no longer exists, or has no CPU bandwidth of its own.
	ErrGone = errors.New("cgroup is gone")
	// ErrUnread says that nobody reads here, by choice or for want of a way: asking
	// again is no use.
	ErrUnread = errors.New("is not read here")
	// ErrIncomplete says that not all was found: what was told is there, and of what
	// was not told nothing is known.
	ErrIncomplete = errors.New("not all cgroups were found")
)
