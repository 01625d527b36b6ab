// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func TestAnEphemeralContainerIsNoPartOfABirth(t *testing.T) {
	debugger := strings.Repeat("de", 32)
	who := attribution.Identity{PodUID: uid, ContainerID: debugger, Role: event.RoleRuntime, Op: "create"}
	hear := func(b *Book, kind event.Kind, at uint64) bool {
		e := event.Event{Kind: kind, Session: 8, PID: 80, Time: at, Workload: kind == event.Exec, Open: &event.Open{Role: event.RoleRuntime}}
		return b.Hear(attribution.Attributed{Event: e, Who: who}, nothingLost)
	}
	for name, ephemeral := range map[string]string{"named in time": debugger, "not named yet": ""} {
		b := newTestBook(false)
		begin(b, sec)
		hear(b, event.SessionOpen, 2*sec)
		hear(b, event.Exec, 2*sec+ms)
		p := running(true)
		p.Ephemeral = []string{ephemeral}
		b.Tell(p, 3*sec)
		if heard := hear(b, event.Listen, 3*sec+ms); heard != (ephemeral == "") {
			t.Errorf("%s: what it does later is heard: %v", name, heard)
		}
		certificate, _ := b.Close(uid, closing(4*sec))
		if s := certificate.Spec; len(s.Milestones.Containers) != 1 || len(s.KernelStats.Actors) != 2 {
			t.Errorf("%s: containers %+v, actors %+v", name, s.Milestones.Containers, s.KernelStats.Actors)
		}
	}
}
