// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import "github.com/kernel-gossip/kernel-gossip/internal/event"

// Floor is a kernel that lets nobody hear it with BPF, as the observer's engine
// sees it: it has cgroups and their bandwidth, and no process ever does anything.
type Floor struct{ *Tree }

// Counts are none.
func (f Floor) Counts(uint64) (event.SessionCounts, error) { return event.SessionCounts{}, nil }

// Sessions are none.
func (f Floor) Sessions() (map[uint64]uint64, error) { return nil, nil }

// Forget has nothing to forget.
func (f Floor) Forget(uint64) error { return nil }

// Arm has nothing more to hear; where cgroups are polled it is done more often.
func (f Floor) Arm() (uint64, error) {
	f.Hurry(true)
	return f.options.Now(), nil
}

// Disarm is the end of that.
func (f Floor) Disarm() error {
	f.Hurry(false)
	return nil
}

// Lost counts the times that cgroups may have come and gone unheard.
func (f Floor) Lost() (event.Loss, error) { return event.Loss{Overflows: f.Overflows()}, nil }
