// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// crowded is a pod of as many containers as there is room for, with names as long as
// they may be, each of which does all that is told.
func crowded(b *Book, n int) Pod {
	b.Hear(attribution.Attributed{Event: event.Event{Kind: event.CgroupMkdir, Time: sec, Path: "/kubepods/pod" + uid}, Who: attribution.Identity{PodUID: uid}}, nothingLost)
	p := Pod{UID: uid, Namespace: "ns", Name: strings.Repeat("p", 253), Phase: "Running", Ready: true}
	for i := range n {
		who := attribution.Identity{PodUID: uid, ContainerID: containerOf(i), Role: event.RoleRuntime, Op: "create"}
		at, session := sec+uint64(i+1)*sec, uint64(2*i+1)
		hear := func(kind event.Kind, session uint64, workload bool, e event.Event) {
			at += ms
			e.Kind, e.Time, e.Session, e.Workload = kind, at, session, workload
			b.Hear(attribution.Attributed{Event: e, Who: who}, nothingLost)
		}
		hear(event.CgroupMkdir, 0, false, event.Event{Path: "/c"})
		hear(event.SessionOpen, session, false, event.Event{PID: 70, File: "/usr/bin/runc", Open: &event.Open{Role: event.RoleRuntime}})
		hear(event.Seccomp, session, false, event.Event{})
		hear(event.Exec, session, true, event.Event{PID: 71, File: "/" + strings.Repeat("a", 150)})
		hear(event.Linked, session, true, event.Event{Value: 12})
		hear(event.Listen, session, true, event.Event{Value: 8080})
		hear(event.Accept, session, true, event.Event{})
		who.Op = "start"
		hear(event.SessionOpen, session+1, false, event.Event{PID: 80, File: "/usr/bin/runc", Open: &event.Open{Role: event.RoleRuntime}})
		hear(event.Exit, session+1, false, event.Event{PID: 80})
		p.Containers = append(p.Containers, Container{
			Name: fmt.Sprintf("%s%02d", strings.Repeat("c", 61), i), ID: containerOf(i), Runtime: "containerd", Running: true, Ready: true, Started: true,
			Restarts: 3, Before: &Ended{ExitCode: 3},
		})
	}
	return p
}

// A certificate stays within its size, whatever there is to tell, and says what it had to
// leave out.
func TestACrowdedCertificateHasItsSize(t *testing.T) {
	for _, n := range []int{1, 6, containersMax, 40} {
		b := newTestBook(false)
		p := crowded(b, n)
		b.Tell(p, 60*sec)
		c := closing(61 * sec)
		for i := range uint64(2 * n) {
			c.Counts[i+1] = event.SessionCounts{
				Own:      event.Counts{Processes: 12345, Execs: 12345, Syscalls: map[int]uint64{39: 1e9}, CPU: 1e15, Stretches: 3},
				Workload: event.Counts{Processes: 12345, Execs: 12345, Syscalls: map[int]uint64{39: 1e9}, CPU: 1e15, Stretches: 3},
			}
		}
		for i := range uint64(n) {
			for _, workload := range []bool{false, true} {
				b.Stretch(event.Event{
					Kind: event.OffCPU, Session: 2*i + 1, Time: sec + (i+1)*sec + 3*ms, Workload: workload, TID: 7,
					Stretch: &event.Stretch{Syscall: 0},
				})
			}
		}
		certificate, _ := b.Close(uid, c)
		s := certificate.Spec
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if n >= containersMax && !strings.HasSuffix(s.Coverage.Missing[len(s.Coverage.Missing)-1], "milestones of 3 containers") {
			t.Errorf("%d containers: %q", n, s.Coverage.Missing)
		}
		t.Logf("%d containers: %d bytes, %d milestones, %d phases, %d actors, %d entries", n, len(raw), len(s.Milestones.Containers), len(s.Phases), len(s.KernelStats.Actors), len(s.Timeline))
		if len(raw) > sizeMax {
			t.Errorf("%d containers: %d bytes", n, len(raw))
		}
		if len(s.Phases) < min(n, phasesLeast) || len(s.KernelStats.Actors) == 0 || len(s.Milestones.Containers) < min(n, 12) {
			t.Errorf("%d containers: too little is left", n)
		}
		if n >= containersMax && s.Complete {
			t.Errorf("%d containers: complete", n)
		}
	}
}
