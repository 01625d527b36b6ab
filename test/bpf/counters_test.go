// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// Of many cgroups that are read together each is what it is by itself, beside those that
// are gone, and those that never were.
func TestManyCgroupsAreReadTogether(t *testing.T) {
	k := listen(t)
	const more = 150 // than fit into two runs
	var refs []event.CgroupRef
	quotas := map[uint64]uint64{}
	for i := range more {
		dir, path := makeCgroup(t, fmt.Sprint("many-", i))
		made := k.made(path)
		quota := 10_000 + 100*i // µs
		limit(t, dir, quota)
		quotas[made.Cgroup] = uint64(quota) * 1000
		refs = append(refs, event.CgroupRef{ID: made.Cgroup, Pointer: made.Pointer})
	}
	gone := map[int]event.CgroupRef{
		3: {ID: refs[3].ID + 1<<40, Pointer: refs[3].Pointer}, 70: {ID: refs[70].ID, Pointer: 1},
		71: {ID: refs[71].ID, Pointer: ^uint64(0) - 4095}, more - 1: {ID: refs[more-1].ID, Pointer: refs[0].Pointer},
	}
	for round := range 2 { // what lies there from before is not taken for an answer
		into := make([]event.Reading, len(refs))
		k.ReadGroups(refs, into)
		for i, ref := range refs {
			g := into[i].Group
			switch _, isGone := gone[i]; {
			case round == 1 && isGone:
				if !errors.Is(into[i].Err, probe.ErrGone) || g != (event.Group{}) {
					t.Errorf("%d: %+v, %v", i, g, into[i].Err)
				}
			case into[i].Err != nil || g.Cgroup != ref.ID || g.Quota != quotas[ref.ID] || g.Period != 100e6 || g.Time == 0 || g.Shares != 1024:
				t.Errorf("%d: %+v, %v; the quota is %d", i, g, into[i].Err, quotas[ref.ID])
			}
		}
		for i, ref := range gone {
			refs[i] = ref
		}
	}
}
