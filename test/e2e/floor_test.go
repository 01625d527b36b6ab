// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// witness is an observer beside the deployed one, that writes nothing to the cluster.
type witness struct {
	name     string
	out, log string // files
}

// rungs are the witnesses, by what they do without. The second is what managed nodes
// were found to lack.
var rungs = []struct{ name, without string }{
	{"the best", ""},
	{"no cgroup tracepoints", "cgroup_mkdir,cgroup_rmdir,cgroup_attach_task"},
	{"no inotify either", "cgroup_mkdir,cgroup_rmdir,cgroup_attach_task,inotify"},
	{"no test runs", "test_run"},
	{"no BPF", "bpf"},
}

// TestRungsAgree lets one and the same birth, and one and the same throttling, be
// heard on different rungs at once. Those that lose nothing of it tell the same; the
// floor tells what it can, and what is missing. It is not parallel: five observers are
// load enough.
func TestRungsAgree(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	program := f.built(t, "kernel-observer")
	all := map[string]*witness{}
	for _, r := range rungs {
		all[r.name] = f.witness(t, program, node.name, r.name, r.without)
	}
	s := newScene(t, f)
	first := s.armed(t, all["the best"], all["no cgroup tracepoints"], all["no test runs"])
	for _, name := range []string{"no inotify either", "no BPF"} {
		all[name].certificate(t, first) // by now they know the node's pods
	}
	web := s.create("web")
	hot := s.create("hot", shell("while :; do :; done"), cpuLimit("100m"))
	s.ready(web)

	best := all["the best"].certificate(t, web)
	wantWhole(t, best, v1alpha1.OutcomeReady)
	for _, name := range []string{"no cgroup tracepoints", "no inotify either", "no test runs"} {
		c := all[name].certificate(t, web)
		wantSame(t, name, best, c)
		if missing := c.Spec.Coverage.Missing; name != "no inotify either" && (!c.Spec.Complete || len(missing) > 0) {
			t.Errorf("%s: complete %t, missing %q", name, c.Spec.Complete, missing)
		}
	}
	wantFloor(t, best, all["no BPF"].certificate(t, web))

	truth := all["the best"].whisper(t, hot).Spec
	for _, name := range []string{"no test runs", "no BPF"} {
		w := all[name].whisper(t, hot).Spec
		if k := w.KernelTruth; k.Periods == 0 || k.ThrottledPeriods == 0 || k.ThrottledMicroseconds == 0 || k.QuotaMicroseconds != truth.KernelTruth.QuotaMicroseconds {
			t.Errorf("%s: %+v, and by the best rung %+v", name, k, truth.KernelTruth)
		}
		if len(w.Missing) == 0 || len(truth.Missing) > 0 {
			t.Errorf("%s: it does not say what is missing: %q; by the best rung it is %q", name, w.Missing, truth.Missing)
		}
	}
}

// witness starts an observer and waits until it listens.
func (f *fixture) witness(t *testing.T, program, node, name, without string) *witness {
	t.Helper()
	dir := t.TempDir()
	w := &witness{name: name, out: filepath.Join(dir, "out"), log: filepath.Join(dir, "log")}
	command := exec.Command(program, "--cluster=watch", "--node-name="+node, "--output=json", "--lean-in=0", "--without="+without) //nolint:noctx // ended by a signal
	for file, to := range map[string]*io.Writer{w.out: &command.Stdout, w.log: &command.Stderr} {
		opened, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = opened.Close() })
		*to = opened
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		if err := command.Wait(); err != nil {
			t.Errorf("%s: %v: %s", name, err, readFile(t, w.log))
		}
	})
	for deadline := time.Now().Add(patience); !strings.Contains(readFile(t, w.log), "listening"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen: %s", name, readFile(t, w.log))
		}
	}
	return w
}

// find waits for the first object that passes.
func (w *witness) find(t *testing.T, what string, pass func(raw json.RawMessage) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		for d := json.NewDecoder(bytes.NewReader([]byte(readFile(t, w.out)))); ; {
			var raw json.RawMessage
			if d.Decode(&raw) != nil { // also of one that is being written
				break
			}
			if pass(raw) {
				return
			}
		}
	}
	t.Fatalf("%s: no %s within %s: %s", w.name, what, patience, readFile(t, w.log))
}

func (w *witness) certificate(t *testing.T, p *corev1.Pod) *v1alpha1.PodBirthCertificate {
	t.Helper()
	c := &v1alpha1.PodBirthCertificate{}
	w.find(t, "certificate of "+p.Name, func(raw json.RawMessage) bool {
		*c = v1alpha1.PodBirthCertificate{}
		return json.Unmarshal(raw, c) == nil && c.Kind == "PodBirthCertificate" && c.Spec.PodRef.UID == string(p.UID) &&
			!awaitsImages(c) && c.Spec.Outcome != v1alpha1.OutcomePending
	})
	return c
}

func (w *witness) whisper(t *testing.T, p *corev1.Pod) *v1alpha1.KernelWhisper {
	t.Helper()
	k := &v1alpha1.KernelWhisper{}
	w.find(t, "whisper about "+p.Name, func(raw json.RawMessage) bool {
		*k = v1alpha1.KernelWhisper{}
		return json.Unmarshal(raw, k) == nil && throttled(k) && k.Spec.PodRef.UID == string(p.UID)
	})
	return k
}

// wantSame holds two certificates of one birth against each other: all but the times,
// and what each counted after the birth's end, while it waited for rest.
func wantSame(t *testing.T, name string, want, got *v1alpha1.PodBirthCertificate) {
	t.Helper()
	if a, b := actions(want), actions(got); !slices.Equal(a, b) {
		t.Errorf("%s: its timeline is\n%q\nand by the best rung\n%q", name, b, a)
	}
	a, b := want.Spec.KernelStats, got.Spec.KernelStats
	if len(a.Actors) != len(b.Actors) {
		t.Errorf("%s: actors %q, by the best rung %q", name, actorNames(got), actorNames(want))
	}
	for _, x := range a.Actors {
		y := actorStats(got, x.Actor, x.Container)
		// The shim goes on working (somebody asks it for figures), and each observer ends
		// when it has seen the workload at rest.
		shim := x.Actor == v1alpha1.ActorRuntime && x.Container == ""
		if x.Processes != y.Processes || x.Execs != y.Execs || !shim && far(x.Syscalls, y.Syscalls) {
			t.Errorf("%s: %s %s has %d system calls, %d processes, %d execs; by the best rung %d, %d, %d",
				name, x.Actor, x.Container, y.Syscalls, y.Processes, y.Execs, x.Syscalls, x.Processes, x.Execs)
		}
	}
	for what, pair := range map[string][2]any{
		"cgroups": {a.CgroupsCreated, b.CgroupsCreated}, "mounts": {a.Mounts, b.Mounts}, "writes to cgroups": {a.CgroupWrites, b.CgroupWrites},
		"network devices": {a.NetDevicesCreated, b.NetDevicesCreated}, "rules": {a.NetfilterRules, b.NetfilterRules},
		"namespaces": {a.NamespacesCreated, b.NamespacesCreated}, "joined": {a.NamespacesJoined, b.NamespacesJoined},
		"outcome": {want.Spec.Outcome, got.Spec.Outcome}, "runtime": {want.Spec.Runtime, got.Spec.Runtime},
	} {
		if x, y := asJSON(t, pair[0]), asJSON(t, pair[1]); x != y {
			t.Errorf("%s: %s %s, by the best rung %s", name, what, y, x)
		}
	}
	t.Logf("%s: %d system calls, by the best rung %d; born in %s, %s", name, b.TotalSyscalls, a.TotalSyscalls, got.Spec.Duration, want.Spec.Duration)
}

// far is true for counts that differ by more than a runtime does in the moment
// between two readings.
func far(a, b int64) bool { return max(a, b)-min(a, b) > 5+max(a, b)/100 }

// actions are all entries of the timeline without their times.
func actions(c *v1alpha1.PodBirthCertificate) []string {
	var all []string
	for _, e := range c.Spec.Timeline {
		if e.Action == "Mounts" {
			e.Detail, _, _ = strings.Cut(e.Detail, " in ")
		}
		all = append(all, fmt.Sprintln(e.Actor, e.Container, e.Action, e.Detail))
	}
	slices.Sort(all)
	return all
}

// wantFloor is what is told of a birth without BPF.
func wantFloor(t *testing.T, best, c *v1alpha1.PodBirthCertificate) {
	t.Helper()
	s, raw := c.Spec, asJSON(t, c.Spec)
	m := milestonesOf(t, c, app)
	if s.Complete || len(s.Coverage.Missing) == 0 || s.Outcome != v1alpha1.OutcomeReady || s.KernelStats.CgroupsCreated != best.Spec.KernelStats.CgroupsCreated {
		t.Errorf("no BPF: %s", raw)
	}
	if s.Milestones.SandboxCgroupCreated == nil || s.Milestones.Ready == nil || m.Created == nil || m.Started == nil || m.Image == nil || m.EntrypointExec != nil {
		t.Errorf("no BPF: milestones %s", asJSON(t, s.Milestones))
	}
	for _, never := range []string{`yscalls":`, `"mounts":`, `"namespacesCreated":`, `"actors":`, `"cgroupWrites":`, `"netDevicesCreated":`} {
		if strings.Contains(raw, never) {
			t.Errorf("no BPF: it tells of %s: %s", never, raw)
		}
	}
	// The file system's clock goes in ticks of up to 10 ms; who finds the directory does
	// not find it before it is made, nor after it was told that the container runs.
	const tick = 15 * time.Millisecond
	apart := momentOf(c, m.Created).Sub(momentOf(best, milestonesOf(t, best, app).Created))
	if apart < -tick || m.Created.OffsetMicroseconds > m.Started.OffsetMicroseconds {
		t.Errorf("no BPF: the container's cgroup was made %s after BPF heard it; created %+v, started %+v", apart, m.Created, m.Started)
	}
	t.Logf("no BPF: born in %s, with BPF %s; the container's cgroup %s later; missing %q", s.Duration, best.Spec.Duration, apart, s.Coverage.Missing)
}
