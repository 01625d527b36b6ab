// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// without is how a kernel is heard that lacks what is named.
func without(t *testing.T, names ...string) func() hooks.Plan {
	t.Helper()
	w, err := hooks.ParseWithout(names)
	if err != nil {
		t.Fatal(err)
	}
	plan := hooks.Choose(hooks.Offer{}, w)
	return func() hooks.Plan { return plan }
}

// onTheFloor is a birth of which only cgroups and the API server tell.
func onTheFloor(t *testing.T, pods ...Pod) v1alpha1.PodBirthCertificateSpec {
	t.Helper()
	b := newTestBook(false)
	b.config.Plan = without(t, "bpf")
	for i, who := range []attribution.Identity{{PodUID: uid}, {PodUID: uid, ContainerID: strings.Repeat("cd", 32)}, {PodUID: uid, ContainerID: id}} {
		e := event.Event{Kind: event.CgroupMkdir, Time: sec + uint64(i)*100*ms, Path: "/kubepods/pod" + uid + "/" + who.ContainerID}
		b.Hear(attribution.Attributed{Event: e, Who: who}, nothingLost)
	}
	for i, p := range pods {
		b.Tell(p, sec+uint64(i+5)*100*ms)
	}
	if due := b.Due(5 * sec); len(due) != 1 {
		t.Fatalf("due: %v", due)
	}
	// Nobody was ever asked to hear system calls, though the floor says that it does.
	c, ok := b.Close(uid, Closing{Now: 5 * sec, Deaf: []Span{{0, 1}}, Window: attribution.Window{Heard: 3}})
	if !ok {
		t.Fatal("no certificate")
	}
	return c.Spec
}

func TestABirthOnTheFloor(t *testing.T) {
	s := onTheFloor(t, running(false), running(true))
	m := s.Milestones
	if s.Outcome != v1alpha1.OutcomeReady || s.Complete || m.SandboxCgroupCreated == nil || m.Ready == nil {
		t.Errorf("%+v", s)
	}
	if len(m.Containers) != 1 || m.Containers[0].Name != "app" || m.Containers[0].Created == nil || m.Containers[0].EntrypointExec != nil {
		t.Errorf("containers: %+v", m.Containers)
	}
	if k := s.KernelStats; k.CgroupsCreated != 3 || k.DurationMicroseconds != 600_000 {
		t.Errorf("%+v", k)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"yscalls", "mounts", "amespaces", "cgroupWrites", "netDevices", "netfilter", "actors", "sandboxStarted"} {
		if strings.Contains(string(raw), `"`+never) || strings.Contains(string(raw), never+`"`) {
			t.Errorf("it tells of %s: %s", never, raw)
		}
	}
	if missing := strings.Join(s.Coverage.Missing, "\n"); !strings.Contains(missing, "births have no sessions") || len(s.Coverage.Missing) != 1 {
		t.Errorf("missing: %q", s.Coverage.Missing)
	}
}

func TestAJobOnTheFloor(t *testing.T) {
	over := running(false)
	over.Phase = "Succeeded"
	over.Containers[0].Running, over.Containers[0].Ended = false, &Ended{Reason: "Completed"}
	if s := onTheFloor(t, running(false), over); s.Outcome != v1alpha1.OutcomeRunning || s.Failure != nil {
		t.Errorf("%s, %+v", s.Outcome, s.Failure)
	}
}

func TestAFailureOnTheFloor(t *testing.T) {
	failed := running(false)
	failed.Phase = "Failed"
	failed.Containers[0].Running, failed.Containers[0].Ended = false, &Ended{ExitCode: 3, Reason: "Error"}
	s := onTheFloor(t, running(false), failed)
	if f := s.Failure; s.Outcome != v1alpha1.OutcomeFailed || f == nil || f.Container != "app" || f.ExitCode == nil || *f.ExitCode != 3 {
		t.Errorf("%s, %+v", s.Outcome, f)
	}
}

// What single hooks lose is said, and what they would have counted is absent.
func TestSingleHooks(t *testing.T) {
	for lost, want := range map[string]string{
		"sys_exit": "system calls are not counted, and what they did is not known: mounts, namespaces", "inet_sock_set_state": "listens",
		"sched_switch": "running and waiting", "test_run": "", "tp_btf": "", "cgroup_attach_task": "", "cgroup_mkdir": "",
		"ringbuf": "64 netlink messages",
	} {
		b := newTestBook(false)
		b.config.Plan = without(t, lost)
		begin(b, sec)
		b.Tell(running(true), 2*sec)
		s := mustClose(t, b, 3*sec)
		said := strings.Join(s.Coverage.Missing, "\n")
		if want == "" && said != "" || !strings.Contains(said, want) || s.Complete != (want == "") {
			t.Errorf("without %s: complete %t, missing %q", lost, s.Complete, s.Coverage.Missing)
		}
		if calls := lost == "sys_exit"; calls != (s.KernelStats.Mounts == nil) {
			t.Errorf("without %s: mounts %v", lost, s.KernelStats.Mounts)
		}
	}
}
