// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
)

// overhear is an observer in the midst of births and of a lean-in: all programs are
// attached. Arguments: the id of the cgroup that it leans in on.
func overhear(args []string) error {
	cgroup, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	p, err := probe.Load(withTypes(probe.Options{Runtimes: []string{runtimeName}}))
	if err != nil {
		return err
	}
	if _, err := p.Arm(); err != nil {
		return err
	}
	if l, err := bursts.Load(bursts.Options{MaxBursts: 10_000}); err == nil {
		if err := l.Start(cgroup); err != nil {
			return err
		}
	}
	fmt.Println("up")
	return p.Read(context.Background(), func(event.Event) {})
}

// An observer is killed again and again, at any moment of its start and of its work.
// Of what it had in the kernel nothing is left: no program, no link, no map.
func TestKilledAtAnyMoment(t *testing.T) {
	listen(t) // so that it is known what our programs are called on this kernel
	ears(t)
	path, victim := program(t, runtimeName), program(t, "kgtest-observer")
	dir, _ := makeCgroup(t, "killed")
	id := strconv.FormatUint(inode(t, dir), 10)
	before := youngest(t)
	// Someone is always being born, and someone in the cgroup is busy.
	busy := start(t, path, "spin")
	write(t, filepath.Join(dir, "cgroup.procs"), strconv.Itoa(busy.Process.Pid))

	took := killedOnce(t, victim, id, -1)
	// Fewer where a start takes long: a busy machine, or an emulated one.
	rounds, within := max(2, min(20, int(15*time.Second/took))), took*5/4
	for range rounds {
		start(t, path, "children", "2")
		killedOnce(t, victim, id, rand.N(within)) //nolint:gosec // any moment will do
	}
	t.Logf("killed %d times, within %s of its start, which takes %s", rounds+1, within, took)
	var left []string
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		// The kernel frees what nobody holds a little later.
		if left = orphans(t, before); len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left in the kernel: %q", left)
		}
	}
}

// killedOnce starts an observer and kills it after so long, or as soon as it is up
// for less than 0. It returns how long the observer lived.
func killedOnce(t *testing.T, victim, cgroup string, after time.Duration) time.Duration {
	t.Helper()
	cmd := exec.Command(victim, "overhear", cgroup)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if after < 0 {
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatalf("the observer did not start: %v: %q", err, line)
		}
	} else {
		time.Sleep(after)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return time.Since(began)
}

// ids are the youngest program, link and map.
type ids struct {
	program ebpf.ProgramID
	link    link.ID
	m       ebpf.MapID
}

func youngest(t *testing.T) ids {
	t.Helper()
	var all ids
	for id, err := ebpf.ProgramGetNextID(0); err == nil; id, err = ebpf.ProgramGetNextID(id) {
		all.program = id
	}
	for id, err := ebpf.MapGetNextID(0); err == nil; id, err = ebpf.MapGetNextID(id) {
		all.m = id
	}
	links := link.Iterator{}
	defer links.Close()
	for links.Next() {
		all.link = links.ID
	}
	return all
}

// orphans are the programs, links and maps of ours younger than those given that no
// process has open: other observers of this machine have theirs.
func orphans(t *testing.T, than ids) []string {
	t.Helper()
	open, ours := held(t), programNames(t)
	var all []string
	leave := func(kind string, id uint32, name string) {
		if key := fmt.Sprintf("%s_id:\t%d", kind, id); !open[key] {
			all = append(all, fmt.Sprintf("%s %d %s", kind, id, name))
		}
	}
	for id, err := ebpf.ProgramGetNextID(than.program); err == nil; id, err = ebpf.ProgramGetNextID(id) {
		if p, err := ebpf.NewProgramFromID(id); err == nil {
			if name := nameOf(p); ours[name] {
				leave("prog", uint32(id), name)
			}
			_ = p.Close()
		}
	}
	for id, err := ebpf.MapGetNextID(than.m); err == nil; id, err = ebpf.MapGetNextID(id) {
		if m, err := ebpf.NewMapFromID(id); err == nil {
			if info, err := m.Info(); err == nil && (info.Name == "members" || info.Name == "sessions" || info.Name == "events") {
				leave("map", uint32(id), info.Name)
			}
			_ = m.Close()
		}
	}
	links := link.Iterator{ID: than.link}
	defer links.Close()
	for links.Next() {
		if name := linkedTo(links.Link); ours[name] {
			leave("link", uint32(links.ID), name)
		}
	}
	return all
}

// programNames are the names of the programs that this process has loaded, which are
// those that an observer loads here.
func programNames(t *testing.T) map[string]bool {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range files {
		raw, _ := os.ReadFile("/proc/self/fdinfo/" + f.Name())
		for line := range strings.Lines(string(raw)) {
			number, ok := strings.CutPrefix(line, "prog_id:")
			if !ok {
				continue
			}
			id, err := strconv.ParseUint(strings.TrimSpace(number), 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id)); err == nil {
				names[nameOf(p)] = true
				_ = p.Close()
			}
		}
	}
	delete(names, "")
	if len(names) < 10 {
		t.Fatalf("only %v are known to be ours", names)
	}
	return names
}

func nameOf(p *ebpf.Program) string {
	info, err := p.Info()
	if err != nil {
		return "" // gone meanwhile
	}
	return info.Name
}

// linkedTo is the name of the program that a link attaches.
func linkedTo(l link.Link) string {
	info, err := l.Info()
	if err != nil {
		return ""
	}
	p, err := ebpf.NewProgramFromID(info.Program)
	if err != nil {
		return ""
	}
	defer func() { _ = p.Close() }()
	return nameOf(p)
}

// held are what all processes have open, as their fdinfo tells it.
func held(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]bool{}
	for _, f := range files {
		raw, _ := os.ReadFile(f) // what is gone meanwhile holds nothing
		for line := range strings.Lines(string(raw)) {
			if strings.Contains(line, "_id:\t") {
				open[strings.TrimSpace(line)] = true
			}
		}
	}
	return open
}

// Whoever begins to listen in the midst of a birth follows it from there, and says
// that its beginning is missing.
func TestListeningBeginsInABirth(t *testing.T) {
	needKernel(t)
	path := program(t, runtimeName)
	_, root := makeCgroup(t, "midst")
	unborn := &weatherPod{node: &node{t: t, root: root}, pod: podNumber(1)}
	unborn.grouped()
	unborn.run(path, forker(t, 5)...)
	unborn.says()

	_, n := weather(t)
	unborn.node = n
	unborn.run(path, forker(t, 5)...) // its runtime goes on, before the API server has told of the pod
	unborn.says()
	unborn.tell()
	unborn.ready()
	c := unborn.certificate()
	missing := strings.Join(c.Spec.Coverage.Missing, "\n")
	if c.Spec.Complete || c.Spec.Outcome != v1alpha1.OutcomeReady || !strings.Contains(missing, "what came before") {
		t.Errorf("complete %t, %s, missing %q", c.Spec.Complete, c.Spec.Outcome, c.Spec.Coverage.Missing)
	}
	if a := workloadOf(c); a.Processes != 6 {
		t.Errorf("workload %+v, want what was heard of it", a)
	}
}
