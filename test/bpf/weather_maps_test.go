// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// filler enters made-up keys into one of this process' maps. They are thread ids and
// sessions that no kernel gives.
type filler struct {
	t    *testing.T
	name string
	keys [][]byte
}

// fill enters keys until the map takes no more.
func fill(t *testing.T, name string) *filler {
	t.Helper()
	f := &filler{t: t, name: name}
	f.more()
	if len(f.keys) == 0 {
		t.Fatalf("%s takes nothing", name)
	}
	t.Logf("%s is full with %d of them made up", name, len(f.keys))
	return f
}

// more fills the room that there is by now.
func (f *filler) more() {
	f.t.Helper()
	m := mapOf(f.t, f.name)
	defer func() { _ = m.Close() }()
	value := make([]byte, m.ValueSize())
	for {
		i := len(f.keys)
		key := make([]byte, m.KeySize())
		copy(key, []byte{byte(i), byte(i >> 8), byte(i >> 16), 0xf0})
		if m.Update(key, value, ebpf.UpdateNoExist) != nil {
			return
		}
		f.keys = append(f.keys, key)
	}
}

// empty makes room again.
func (f *filler) empty() {
	f.t.Helper()
	m := mapOf(f.t, f.name)
	defer func() { _ = m.Close() }()
	for _, key := range f.keys {
		if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			f.t.Fatal(err)
		}
	}
}

// mapOf finds the youngest map of that name among those that this process has open.
func mapOf(t *testing.T, name string) *ebpf.Map {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		t.Fatal(err)
	}
	youngest := 0
	for _, f := range files {
		raw, _ := os.ReadFile(filepath.Join("/proc/self/fdinfo", f.Name()))
		_, after, ok := strings.Cut(string(raw), "map_id:\t")
		if !ok {
			continue
		}
		line, _, _ := strings.Cut(after, "\n")
		id, err := strconv.Atoi(line)
		if err != nil || id <= youngest {
			continue
		}
		m, err := ebpf.NewMapFromID(ebpf.MapID(id))
		if err != nil {
			continue // closed meanwhile
		}
		if info, err := m.Info(); err == nil && info.Name == name {
			youngest = id
		}
		_ = m.Close()
	}
	m, err := ebpf.NewMapFromID(ebpf.MapID(youngest))
	if err != nil {
		t.Fatalf("no map %s: %v", name, err)
	}
	return m
}

// weather is an observer on a probe of its own, whose maps may be filled.
func weather(t *testing.T) (*probe.Probe, *node) {
	t.Helper()
	needKernel(t)
	p, err := probe.Load(withTypes(probe.Options{Runtimes: []string{runtimeName}}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, observeWith(t, p, p.Read, probe.Wall)
}

// bornAs is one birth from its announcement to its certificate.
func (n *node) bornAs(number int, path string, forks uint32) *v1alpha1.PodBirthCertificate {
	n.t.Helper()
	p := n.announce(number)
	p.born(path, forker(n.t, forks)...)
	p.says()
	p.ready()
	return p.certificate()
}

// While the table of sessions is full, who is born then is not heard, and the
// certificate says so; who was known before is counted on, and with room all is
// well again.
func TestFullTableOfSessions(t *testing.T) {
	p, n := weather(t)
	path := program(t, runtimeName)
	before := n.announce(1)
	n.until("hears system calls", func(s observer.Stats) bool { return s.Armed })
	const forked = 3000
	before.born(path, append([]string{"after"}, forker(t, forked)...)...)
	before.says() // it waits, and will fork when the table is full
	full := fill(t, "sessions")

	if _, err := io.WriteString(before.in, "go\n"); err != nil {
		t.Fatal(err)
	}
	c := n.bornAs(2, path, 5)
	lost, err := p.Lost()
	if err != nil || lost.Sessions == 0 {
		t.Fatalf("lost %+v, %v", lost, err)
	}
	if !lists(c, v1alpha1.LossSessionTableFull, int64(lost.Sessions)) || c.Spec.Complete || workloadOf(c).Processes != 0 {
		t.Errorf("born while the table is full: complete %t, lost %+v of %+v, workload %+v; missing %q",
			c.Spec.Complete, c.Spec.Coverage.Lost, lost, workloadOf(c), c.Spec.Coverage.Missing)
	}
	before.says()
	before.ready()
	wantForks(t, before.certificate(), forked+1)

	full.empty()
	c = n.bornAs(3, path, 5)
	bornWhole(t, c, 6)
	if len(c.Spec.Coverage.Lost) != 0 {
		t.Errorf("born when there was room again: lost %+v", c.Spec.Coverage.Lost)
	}
	n.nothingLeft(p)
}

// While the table of threads is full, new ones are not counted but as lost.
func TestFullTableOfThreads(t *testing.T) {
	p, n := weather(t)
	path := program(t, runtimeName)
	before := n.announce(1)
	n.until("hears system calls", func(s observer.Stats) bool { return s.Armed })
	const forked = 6000
	before.born(path, append([]string{"after"}, forker(t, forked)...)...)
	before.says()
	full := fill(t, "members")

	if _, err := io.WriteString(before.in, "go\n"); err != nil {
		t.Fatal(err)
	}
	// What it was before it executed had more threads: their room is taken as well.
	for heard, err := p.Lost(); heard.Members == 0; heard, err = p.Lost() {
		if err != nil {
			t.Fatal(err)
		}
		full.more()
	}
	before.says()
	before.ready()
	c := before.certificate()
	lost := lostFor(c, v1alpha1.LossThreadTableFull)
	if got := workloadOf(c).Processes; lost == 0 || c.Spec.Complete || got > forked || got+lost < forked+1 {
		t.Errorf("%d of %d processes counted, and %d lost", got, forked+1, lost)
	}
	full.more() // what has ended made room
	c = n.bornAs(2, path, 5)
	if lostFor(c, v1alpha1.LossThreadTableFull) == 0 || c.Spec.Complete {
		t.Errorf("born while the table is full: complete %t, lost %+v", c.Spec.Complete, c.Spec.Coverage.Lost)
	}

	full.empty()
	c = n.bornAs(3, path, 5)
	bornWhole(t, c, 6)
	if len(c.Spec.Coverage.Lost) != 0 {
		t.Errorf("born when there was room again: lost %+v", c.Spec.Coverage.Lost)
	}
	n.nothingLeft(p)
}

// wantForks fails unless the workload's processes were counted to the last: it
// executed once as the container's first process, and once as what forks.
func wantForks(t *testing.T, c *v1alpha1.PodBirthCertificate, processes int64) {
	t.Helper()
	if a := workloadOf(c); a.Processes != processes || a.Execs != 2 {
		t.Errorf("%s: workload %+v, want %d processes and two execs; lost %+v", c.Name, a, processes, c.Spec.Coverage.Lost)
	}
}

func lostFor(c *v1alpha1.PodBirthCertificate, reason v1alpha1.LossReason) int64 {
	for _, l := range c.Spec.Coverage.Lost {
		if l.Reason == reason {
			return l.Count
		}
	}
	return 0
}

// nothingLeft fails if the kernel still counts for a session that nobody here
// knows: it would fill the table in time.
func (n *node) nothingLeft(p *probe.Probe) {
	n.t.Helper()
	known := map[uint64]bool{}
	for _, s := range n.heardSessions() {
		known[s] = true
	}
	all, err := p.Sessions()
	if err != nil {
		n.t.Fatal(err)
	}
	for id := range all {
		if !known[id] {
			n.t.Errorf("session %d is left in the kernel's table, and was never heard to open", id)
		}
	}
}

// heardSessions are all sessions that were heard to open.
func (n *node) heardSessions() []uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sessions
}

func (n *node) note(e event.Event) {
	if e.Kind == event.SessionOpen {
		n.mu.Lock()
		n.sessions = append(n.sessions, e.Session)
		n.mu.Unlock()
	}
}
