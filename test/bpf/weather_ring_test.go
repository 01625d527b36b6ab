// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// gate lets events through until it is shut: then whoever reads the ring stands
// still, as behind an engine that does not get a CPU.
type gate struct {
	shut   chan struct{} // holds one while it is shut
	from   string        // the cgroup whose making begins the count
	to     string        // and the one whose making ends it
	within atomic.Bool
	heard  atomic.Uint64
	over   chan struct{}
}

func newGate(from, to string) *gate {
	return &gate{shut: make(chan struct{}, 1), from: from, to: to, over: make(chan struct{})}
}

// pass counts what is heard between the two cgroups.
func (g *gate) pass(e event.Event) {
	g.shut <- struct{}{}
	<-g.shut
	if e.Kind == event.UpTo {
		return // it is not the kernel's
	}
	if e.Kind == event.CgroupMkdir && strings.HasSuffix(e.Path, g.to) && g.within.Swap(false) {
		close(g.over)
	}
	if g.within.Load() {
		g.heard.Add(1)
	}
	if e.Kind == event.CgroupMkdir && strings.HasSuffix(e.Path, g.from) {
		g.within.Store(true)
	}
}

func (g *gate) of(p *probe.Probe) read {
	return func(ctx context.Context, hear func(event.Event)) error {
		return p.Read(ctx, func(e event.Event) {
			g.pass(e)
			hear(e)
		})
	}
}

// While nobody reads the ring, it fills. What does not fit is counted to the last
// event, the births of that time say so, and those that come after are whole.
func TestNobodyReadsTheRing(t *testing.T) {
	needKernel(t)
	k := listen(t)
	p, err := probe.Load(withTypes(probe.Options{Runtimes: []string{runtimeName}}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	path := program(t, runtimeName)
	g := newGate("/begins", "/ends")
	n := observeWith(t, p, g.of(p), probe.Wall)
	root := filepath.Join(hierarchy(t).Root, n.root)

	pod := n.announce(1)
	n.until("hears system calls", func(s observer.Stats) bool { return s.Armed })
	pod.born(path, forker(t, 5)...)
	pod.says()
	k.arm() // as the other one is
	makeDir(t, filepath.Join(root, "begins"))
	n.until("heard the beginning", func(observer.Stats) bool { return g.within.Load() })
	g.shut <- struct{}{}
	made := flood(k, p, filepath.Join(root, "flood"))
	unheard := n.announce(2)
	unheard.grouped() // there is no room for it either
	walks := n.walks.Load()
	lost, err := p.Lost()
	if err != nil {
		t.Fatal(err)
	}
	<-g.shut
	// What fitted is all of it but what was lost, and then there is room again.
	n.until("drained the ring", func(observer.Stats) bool { return g.heard.Load() >= 2*made-lost.Events })
	makeDir(t, filepath.Join(root, "ends"))
	select {
	case <-g.over:
	case <-time.After(patience):
		t.Fatal("the end was not heard")
	}
	// The other probe heard all of it: its reader does not stand still. It goes on
	// hearing of others' runtimes that this one's engine has dropped: between the two
	// lies what a busy machine does meanwhile, and on a quiet one there is nothing.
	own, all := between(k, "/begins", "/ends", "/flood")
	if others, err := k.Lost(); err != nil || others.Events != 0 {
		t.Fatalf("the reader that goes on lost %+v, %v", others, err)
	}
	accounted := g.heard.Load() + lost.Events
	t.Logf("%d cgroups made and removed: %d events sent and %d of others, %d heard, %d lost", made, own, all-own, g.heard.Load(), lost.Events)
	if lost.Events == 0 || own != 2*made || accounted < own || accounted > all {
		t.Errorf("of %d cgroups %d events were sent, and %d of others; %d heard and %d lost", made, own, all-own, g.heard.Load(), lost.Events)
	}

	// A second after the last loss the cgroups are walked again.
	n.until("walked again", func(observer.Stats) bool { return n.walks.Load() > walks })
	pod.ready()
	c := pod.certificate()
	if c.Spec.Complete || c.Spec.Coverage.LostEvents != int64(lost.Total()) || !lists(c, v1alpha1.LossRingFull, int64(lost.Events)) {
		t.Errorf("complete %t, lost %d %+v, want %d", c.Spec.Complete, c.Spec.Coverage.LostEvents, c.Spec.Coverage.Lost, lost.Events)
	}
	bornWhole(t, c, 6)

	// Its cgroups were not heard of, and are found.
	unheard.run(path, forker(t, 5)...)
	unheard.says()
	unheard.ready()
	c = unheard.certificate()
	if c.Spec.Complete || !strings.Contains(strings.Join(c.Spec.Coverage.Missing, "\n"), "the birth was under way when its node began to be heard") {
		t.Errorf("a birth whose beginning was lost: complete %t, missing %q", c.Spec.Complete, c.Spec.Coverage.Missing)
	}
	if a := workloadOf(c); a.Processes != 6 || c.Spec.Outcome != v1alpha1.OutcomeReady {
		t.Errorf("a birth whose beginning was lost: %s, workload %+v", c.Spec.Outcome, a)
	}

	after := n.announce(3)
	after.born(path, forker(t, 5)...)
	after.says()
	after.ready()
	bornWhole(t, after.certificate(), 6)
	if len(after.certificate().Spec.Coverage.Lost) != 0 {
		t.Errorf("a birth afterwards lost %+v", after.certificate().Spec.Coverage.Lost)
	}
}

// flood makes and removes a cgroup until a good part of that is lost.
func flood(k *kernel, p *probe.Probe, dir string) (made uint64) {
	t := k.t
	t.Helper()
	for ; ; made++ {
		if made%500 == 0 {
			k.look(0, func(event.Event) bool { return false }) // takes what is there: others may be busy
			if l, err := p.Lost(); err != nil || l.Events > 1000 {
				return made
			}
		}
		if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
			t.Fatal(err)
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// between counts the events that were heard between the making of two cgroups: of
// the cgroup that is made and removed meanwhile, and all.
func between(k *kernel, from, to, meanwhile string) (own, all uint64) {
	k.t.Helper()
	made := func(e event.Event, path string) bool {
		return e.Kind == event.CgroupMkdir && strings.HasSuffix(e.Path, path)
	}
	k.find("the end of the flood", func(e event.Event) bool { return made(e, to) })
	within, ours := false, map[uint64]bool{}
	for _, e := range k.kept {
		within = within && !made(e, to)
		if within {
			all++
			ours[e.Cgroup] = ours[e.Cgroup] || made(e, meanwhile)
			if ours[e.Cgroup] && e.Session == 0 {
				own++
			}
		}
		within = within || made(e, from)
	}
	return own, all
}

// lists is true if a certificate says that so many were lost for that reason.
func lists(c *v1alpha1.PodBirthCertificate, reason v1alpha1.LossReason, count int64) bool {
	for _, l := range c.Spec.Coverage.Lost {
		if l.Reason == reason {
			return l.Count == count
		}
	}
	return false
}
