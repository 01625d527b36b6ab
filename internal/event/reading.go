// SPDX-License-Identifier: Apache-2.0

package event

// CgroupRef is what identifies a cgroup to whoever reads its bandwidth: its id, and
// where the kernel has it (0: not known).
type CgroupRef struct{ ID, Pointer uint64 }

// Reading is what came of reading one cgroup's bandwidth.
type Reading struct {
	Group Group
	// Err is ErrGone where there is nothing to read (any more).
	Err error
}

// ReadEach reads one cgroup after the other; what came of each is at its own place in
// into, which has as many.
func ReadEach(of []CgroupRef, into []Reading, read func(id, pointer uint64) (Group, error)) {
	for i, ref := range of {
		into[i].Group, into[i].Err = read(ref.ID, ref.Pointer)
	}
}
