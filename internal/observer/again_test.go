// SPDX-License-Identifier: Apache-2.0

package observer_test

import (
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// A static pod whose cgroups go and are made again, in each hierarchy of cgroup v1, is born
// again, once: and one that is not static is not.
func TestACgroupThatIsMadeAgain(t *testing.T) {
	for name, c := range map[string]struct {
		static bool
		want   []string
	}{
		"a static pod": {true, []string{birth.Name("web", weatherUID, 1), birth.Name("web", weatherUID, 2)}},
		"another":      {false, []string{birth.Name("web", weatherUID, 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			k, told := &table{cgroups: map[uint64]string{1: "/"}}, &shelf{}
			e := k.engineTelling(t, told)
			e.Earlier(nil, weatherSec)
			for life := range uint64(2) {
				at, group := (2+10*life)*weatherSec, 4+10*life
				unborn, ready := beingBorn(), born()
				unborn.Mirror, ready.Mirror = c.static, c.static
				ready.Containers[0].ID = []string{"a", "b"}[life]
				if life == 0 {
					e.Pod(unborn, at-weatherMs)
				}
				for i := range uint64(3) {
					e.Event(event.Event{Kind: event.CgroupMkdir, Time: at + i, Cgroup: group + i, Pointer: group + i, Path: weatherPod}, at+i)
				}
				e.Pod(ready, at+50*weatherMs)
				passes(e, at+100*weatherMs, at+4*weatherSec)
				for i := range uint64(3) {
					gone := at + 5*weatherSec + i
					e.Event(event.Event{Kind: event.CgroupRmdir, Time: gone, Cgroup: group + i, Path: weatherPod}, gone)
				}
			}
			var names []string
			for _, certificate := range told.all {
				names = append(names, certificate.Name)
			}
			if len(names) != len(c.want) || names[len(names)-1] != c.want[len(c.want)-1] || e.Stats().BirthsOpen != 0 {
				t.Errorf("certificates %q, want %q; %d births open", names, c.want, e.Stats().BirthsOpen)
			}
		})
	}
}
