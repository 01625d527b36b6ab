// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
	"github.com/kernel-gossip/kernel-gossip/internal/syscalls"
)

// node is an observer of this machine: the real engine on the real programs. Only
// the API server is the test, which tells of the pods that it makes.
type node struct {
	t            *testing.T
	root         string // the pods' cgroup
	pods         chan observer.PodUpdate
	certificates chan *v1alpha1.PodBirthCertificate
	kept         []*v1alpha1.PodBirthCertificate
	mu           sync.Mutex
	stats        observer.Stats
	sessions     []uint64 // that were heard to open
	walks        atomic.Int64
}

// walked counts the walks through all cgroups that an engine begins.
type walked struct {
	*probe.Probe
	begun *atomic.Int64
}

// Walk implements observer.Kernel.
func (w walked) Walk(see func(id, pointer uint64, path string)) error {
	w.begun.Add(1)
	return w.Probe.Walk(see)
}

// Certificate implements observer.Sink.
func (n *node) Certificate(c *v1alpha1.PodBirthCertificate) { n.certificates <- c }

// Whisper implements observer.Sink.
func (n *node) Whisper(*v1alpha1.KernelWhisper) {}

// read is where the events of a node come from.
type read func(context.Context, func(event.Event)) error

// heardBy reads the events that the shared probe hands to the test.
func heardBy(k *kernel) read {
	return func(ctx context.Context, hear func(event.Event)) error {
		for {
			select {
			case e := <-k.events:
				hear(e)
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// observeWith starts an observer on a probe, until the test ends.
func observeWith(t *testing.T, p *probe.Probe, from read, wall func(uint64) time.Time) *node {
	t.Helper()
	n := &node{
		t: t, pods: make(chan observer.PodUpdate, 100), certificates: make(chan *v1alpha1.PodBirthCertificate, 1000),
	}
	_, n.root = makeCgroup(t, strings.ToLower(filepath.Base(t.Name())))
	engine, err := observer.NewEngine(weatherConfig(t, wall), walked{p, &n.walks}, slog.New(slog.DiscardHandler), n)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	noted := func(ctx context.Context, hear func(event.Event)) error {
		return from(ctx, func(e event.Event) {
			n.note(e)
			hear(e)
		})
	}
	earlier := make(chan map[string][]string, 1)
	earlier <- nil // nothing was told before
	in := observer.Inputs{Read: noted, Earlier: earlier, Pods: n.pods, Now: probe.Now, Stats: n.take}
	go func() { done <- observer.Run(ctx, engine, in) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return n
}

func weatherConfig(t *testing.T, wall func(uint64) time.Time) observer.Config {
	t.Helper()
	names, err := syscalls.Names()
	if err != nil {
		t.Fatal(err)
	}
	c := observer.Config{
		Birth: birth.Config{
			NodeName: "node1", Settle: 300 * time.Millisecond, Quiet: 2 * time.Second, Timeout: 10 * time.Minute,
			Wall: wall, SyscallName: names,
		},
		CPU: cpu.DefaultConfig(), DisarmAfter: time.Second,
	}
	c.CPU.NodeName, c.CPU.Wall = "node1", wall
	return c
}

func (n *node) take(s observer.Stats) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stats = s
}

// until waits for the engine's totals to be so; it tells them every second.
func (n *node) until(what string, holds func(observer.Stats) bool) observer.Stats {
	n.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		n.mu.Lock()
		s := n.stats
		n.mu.Unlock()
		if holds(s) {
			return s
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("not %s: %+v", what, s)
		}
	}
}

// weatherPod is one pod of a node, with a container that a runtime makes.
type weatherPod struct {
	node     *node
	pod      birth.Pod
	dir      string // the container's cgroup
	workload *exec.Cmd
	said     *bufio.Reader
	in       io.WriteCloser
}

// announce tells of a pod, as the API server would.
func (n *node) announce(number int) *weatherPod {
	n.t.Helper()
	p := &weatherPod{node: n, pod: podNumber(number)}
	p.tell()
	return p
}

// podNumber is what the API server tells of a pod that was just bound.
func podNumber(number int) birth.Pod {
	return birth.Pod{
		UID: fmt.Sprintf("00000000-0000-4000-8000-%012d", number), Namespace: "weather", Name: fmt.Sprint("pod-", number),
		Phase: "Pending", Created: time.Now().Truncate(time.Second), Containers: []birth.Container{{Name: "app"}},
	}
}

func (p *weatherPod) tell() {
	told := p.pod
	told.Containers = slices.Clone(told.Containers)
	p.node.pods <- observer.PodUpdate{Pod: told}
}

func (p *weatherPod) id() string {
	return strings.Repeat("0", 52) + p.pod.UID[len(p.pod.UID)-12:]
}

// born makes the pod's cgroups and lets a runtime execute an act in them.
func (p *weatherPod) born(path string, act ...string) {
	t := p.node.t
	t.Helper()
	p.grouped()
	p.run(path, act...)
}

// grouped makes the pod's cgroups.
func (p *weatherPod) grouped() {
	t := p.node.t
	t.Helper()
	pod := p.node.root + "/pod" + p.pod.UID
	root := hierarchy(t).Root
	for _, dir := range []string{pod, pod + "/" + p.id()} {
		p.dir = filepath.Join(root, dir)
		makeDir(t, p.dir)
	}
}

// run lets a runtime execute an act in the container's cgroup, and waits until
// the workload says that it is up.
func (p *weatherPod) run(path string, act ...string) {
	t := p.node.t
	t.Helper()
	p.workload = exec.Command(path, append([]string{"run", p.dir, p.id()}, act...)...)
	out, err := p.workload.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = p.workload.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.workload.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.workload.Process.Kill()
		_ = p.workload.Wait()
	})
	p.said = bufio.NewReader(out)
}

// says waits for a line of the workload.
func (p *weatherPod) says() string {
	p.node.t.Helper()
	line, err := p.said.ReadString('\n')
	if err != nil {
		p.node.t.Fatalf("%s: %v: %q", p.pod.Name, err, line)
	}
	return strings.TrimSpace(line)
}

// ready tells that the pod is Ready.
func (p *weatherPod) ready() {
	c := &p.pod.Containers[0]
	c.ID, c.Runtime, c.Running, c.Started, c.Ready = p.id(), "containerd", true, true, true
	p.pod.Phase, p.pod.Ready = "Running", true
	p.pod.ReadySince = time.Now().Truncate(time.Second)
	p.tell()
}

// certificate waits for the pod's certificate of its birth's end.
func (p *weatherPod) certificate() *v1alpha1.PodBirthCertificate {
	n := p.node
	n.t.Helper()
	last := func(c *v1alpha1.PodBirthCertificate) bool {
		return c.Spec.PodRef.UID == p.pod.UID && !c.Spec.UnderWay
	}
	if i := slices.IndexFunc(n.kept, last); i >= 0 {
		return n.kept[i]
	}
	for deadline := time.After(patience); ; {
		select {
		case c := <-n.certificates:
			n.kept = append(n.kept, c)
			if last(c) {
				return c
			}
		case <-deadline:
			n.t.Fatalf("no certificate of %s; the engine: %+v", p.pod.Name, n.until("anything", func(observer.Stats) bool { return true }))
		}
	}
}

// bornWhole fails unless the birth was told as it was: its milestones in their order,
// within its duration, and its workload's counts.
func bornWhole(t *testing.T, c *v1alpha1.PodBirthCertificate, processes int64) {
	t.Helper()
	s := c.Spec
	if s.Outcome != v1alpha1.OutcomeReady || len(s.Milestones.Containers) != 1 {
		t.Fatalf("%s: outcome %s, milestones %+v, missing %q", c.Name, s.Outcome, s.Milestones, s.Coverage.Missing)
	}
	exec, ready := s.Milestones.Containers[0].EntrypointExec, s.Milestones.Ready
	if exec == nil || ready == nil || exec.OffsetMicroseconds <= s.Milestones.SandboxCgroupCreated.OffsetMicroseconds ||
		ready.OffsetMicroseconds < exec.OffsetMicroseconds {
		t.Errorf("%s: cgroup %+v, entrypoint %+v, ready %+v", c.Name, s.Milestones.SandboxCgroupCreated, exec, ready)
	}
	if s.KernelStats.DurationMicroseconds <= 0 || s.KernelStats.DurationMicroseconds > s.KernelStats.WindowMicroseconds {
		t.Errorf("%s: lasted %d of %d µs", c.Name, s.KernelStats.DurationMicroseconds, s.KernelStats.WindowMicroseconds)
	}
	if a := workloadOf(c); a.Processes != processes || a.Execs != 1 || a.Syscalls == 0 {
		t.Errorf("%s: workload %+v, want %d processes and one exec; missing %q", c.Name, a, processes, s.Coverage.Missing)
	}
}

func workloadOf(c *v1alpha1.PodBirthCertificate) v1alpha1.ActorStats {
	for _, a := range c.Spec.KernelStats.Actors {
		if a.Actor == v1alpha1.ActorWorkload {
			return a
		}
	}
	return v1alpha1.ActorStats{}
}

// ended tells that the pod's container has ended badly, and with it the pod.
func (p *weatherPod) ended(code int32) {
	c := &p.pod.Containers[0]
	c.ID, c.Runtime, c.Ended = p.id(), "containerd", &birth.Ended{ExitCode: code, Reason: "Error"}
	p.pod.Phase = "Failed"
	p.tell()
}
