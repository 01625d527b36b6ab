// SPDX-License-Identifier: Apache-2.0

//go:build live

package observer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
	"github.com/kernel-gossip/kernel-gossip/internal/record"
)

// These make the recordings in testdata that have bursts, from real workloads in
// cgroups of their own: go test -tags live -run Live ./internal/observer. They need
// root and a cpu controller of cgroup v1. KG_RECORD_TO=DIR keeps the recordings.

const liveRoot = "/sys/fs/cgroup/cpu/kernel-gossip-live"

// pod is one container with a cgroup like the kubelet's.
type livePod struct {
	name, uid, id, dir string
}

func newLivePod(t *testing.T, name string, n int) *livePod {
	p := &livePod{name: name, uid: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), id: fmt.Sprintf("%064x", n)}
	p.dir = filepath.Join(liveRoot, "kubepods", "burstable", "pod"+p.uid, p.id)
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for dir := p.dir; dir != filepath.Dir(liveRoot); dir = filepath.Dir(dir) {
			_ = os.Remove(dir)
		}
	})
	return p
}

func (p *livePod) set(t *testing.T, file string, value int64) {
	t.Helper()
	for _, dir := range []string{filepath.Dir(p.dir), p.dir} {
		// Of parent and child the wider has to be written first; one of two rounds is right.
		_ = os.WriteFile(filepath.Join(dir, file), []byte(strconv.FormatInt(value, 10)), 0o644)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(p.dir), file), []byte(strconv.FormatInt(value, 10)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// limit in millicores; 0 is none.
func (p *livePod) limit(t *testing.T, millicores int64) {
	t.Helper()
	quota := millicores * 100
	if millicores == 0 {
		quota = -1
	}
	p.set(t, "cpu.cfs_quota_us", quota)
}

func (p *livePod) update() observer.PodUpdate {
	return observer.PodUpdate{Pod: birth.Pod{
		UID: p.uid, Namespace: "shop", Name: p.name, Phase: "Running", Ready: true,
		Containers: []birth.Container{{Name: "app", ID: p.id, Running: true, Started: true, Ready: true, Runtime: "containerd"}},
	}}
}

// live is an observer of some pods.
type live struct {
	whispers chan *v1alpha1.KernelWhisper
	pods     chan observer.PodUpdate
	file     string
	stop     func()
	all      []*v1alpha1.KernelWhisper
}

func (l *live) Certificate(*v1alpha1.PodBirthCertificate) {}
func (l *live) Whisper(w *v1alpha1.KernelWhisper)         { l.whispers <- w }

// only is a kernel that knows the test's cgroups.
type only struct{ observer.Kernel }

func (o only) Walk(visit func(uint64, uint64, string)) error {
	return o.Kernel.Walk(func(id, pointer uint64, path string) {
		if strings.HasPrefix(path, "/kernel-gossip-live/") {
			visit(id, pointer, strings.TrimPrefix(path, "/kernel-gossip-live"))
		}
	})
}

func listenLive(t *testing.T, name string, leanIn time.Duration, pods ...*livePod) *live {
	kernel, err := probe.Load(probe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ear, err := bursts.Load(bursts.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	node := func() (cpu.Node, error) {
		raw, err := os.ReadFile("/proc/stat")
		if err != nil {
			return cpu.Node{}, err
		}
		return cpu.ParseNode(string(raw), probe.Now())
	}
	ears := observer.NewEars(ear, kernel.ReadGroup, node, log)
	l := &live{whispers: make(chan *v1alpha1.KernelWhisper, 1000), pods: make(chan observer.PodUpdate, 100)}
	in := observer.Inputs{
		Read: func(ctx context.Context, _ func(event.Event)) error {
			return kernel.Read(ctx, func(event.Event) {}) // of others
		},
		Pods: l.pods, Now: probe.Now, Stats: func(observer.Stats) {}, Node: node, LeanIn: ears.LeanIn, Heard: ears.Heard(),
	}
	to := os.Getenv("KG_RECORD_TO")
	if to == "" {
		to = t.TempDir()
	}
	l.file = filepath.Join(to, name+".jsonl")
	r, err := record.Create(l.file)
	if err != nil {
		t.Fatal(err)
	}
	in = r.Inputs(in)
	config := observer.Config{Birth: birth.Config{NodeName: "node1", Wall: wall, Timeout: time.Minute}, CPU: cpu.DefaultConfig(), DisarmAfter: time.Second}
	config.CPU.NodeName, config.CPU.Wall, config.CPU.LeanIn = "node1", wall, leanIn
	engine, err := observer.NewEngine(config, r.Kernel(only{kernel}), log, l)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { ears.Run(ctx); return nil })
	group.Go(func() error { return observer.Run(ctx, engine, in) })
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(group.Wait(), ear.Close(), kernel.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(l.stop)
	for _, p := range pods {
		l.pods <- p.update()
	}
	return l
}

func wall(monotonic uint64) time.Time {
	return time.Now().Add(time.Duration(int64(monotonic) - int64(probe.Now())))
}

// wait for a whisper of a pod that has what is asked for.
func (l *live) wait(t *testing.T, pod *livePod, what string, within time.Duration, has func(*v1alpha1.KernelWhisper) bool) *v1alpha1.KernelWhisper {
	t.Helper()
	end := time.After(within)
	for {
		select {
		case w := <-l.whispers:
			l.all = append(l.all, w)
			t.Logf("%s %s %s: %s", time.Now().Format("05.000"), w.Spec.PodRef.Name, w.Spec.Reason, brief(w))
			if w.Spec.PodRef.Name == pod.name && has(w) {
				return w
			}
		case <-end:
			t.Fatalf("no whisper of %s with %s", pod.name, what)
		}
	}
}

// replays checks that the recording gives the same whispers, but for the clock.
func (l *live) replays(t *testing.T) {
	t.Helper()
	l.stop()
	for len(l.whispers) > 0 {
		l.all = append(l.all, <-l.whispers)
	}
	again := playWith(t, l.file, recordedLeanIn)
	var got []*v1alpha1.KernelWhisper
	for _, w := range again.inOrder {
		got = append(got, timeless(w))
	}
	if len(got) != len(l.all) {
		t.Fatalf("%d whispers, the replay has %d", len(l.all), len(got))
	}
	for i, w := range l.all {
		if want := timeless(w); !equality.Semantic.DeepEqual(got[i], want) {
			t.Errorf("whisper %d is in the replay\n%s\nand was\n%s", i, brief(got[i]), brief(want))
		}
	}
}

// timeless is a whisper without what the wall clock tells, which is read anew at
// each use.
func timeless(w *v1alpha1.KernelWhisper) *v1alpha1.KernelWhisper {
	w = w.DeepCopy()
	w.Name, w.Spec.StartTime, w.Spec.LastSeenTime = "", metav1.MicroTime{}, metav1.MicroTime{}
	if w.Spec.EndTime != nil {
		w.Spec.EndTime = &metav1.MicroTime{}
	}
	if w.Spec.Bursts != nil {
		w.Spec.Bursts.Time = metav1.MicroTime{}
	}
	if w.Spec.Change != nil {
		w.Spec.Change.Time = metav1.MicroTime{}
	}
	return w
}

func TestLiveRequestPath(t *testing.T) {
	p := newLivePod(t, "checkout", 1)
	p.limit(t, 250)
	p.set(t, "cpu.shares", 256)
	l := listenLive(t, "request-path", recordedLeanIn, p)
	const address = "127.0.0.1:18931"
	run(t, p.dir, "serve", address)
	began := time.Now()
	run(t, "", "ask", address)
	l.wait(t, p, "an episode", 20*time.Second, func(*v1alpha1.KernelWhisper) bool { return true })
	t.Logf("told after %s", time.Since(began))
	l.wait(t, p, "bursts and a curve", 30*time.Second, func(w *v1alpha1.KernelWhisper) bool { return w.Spec.Bursts != nil && w.Spec.Counterfactual != nil })
	p.limit(t, 1800)
	l.wait(t, p, "a measured change", 60*time.Second, func(w *v1alpha1.KernelWhisper) bool {
		return w.Spec.Change != nil && w.Spec.Change.Measured != nil
	})
	l.wait(t, p, "an end", 60*time.Second, func(w *v1alpha1.KernelWhisper) bool { return w.Spec.EndTime != nil })
	l.replays(t)
}

// What the client waits for beyond the 30 ms of work is what the request stood
// still: held by the quota, or in the queue of a CPU.
func TestLiveStallsAgainstTheClient(t *testing.T) {
	p := newLivePod(t, "quote", 5)
	p.limit(t, 150)
	l := listenLive(t, "client", 10*time.Second, p)
	const address = "127.0.0.1:18933"
	run(t, p.dir, "serve", address)
	client := run(t, "", "ping", address)
	w := l.wait(t, p, "bursts", 30*time.Second, func(w *v1alpha1.KernelWhisper) bool { return w.Spec.Bursts != nil })
	_ = client.Process.Kill()
	_ = client.Wait()
	var waited []int64 // µs
	for line := range strings.Lines(fmt.Sprint(client.Stdout)) {
		took, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		waited = append(waited, took-30_000)
	}
	slices.Sort(waited)
	median, stall := waited[len(waited)/2], *w.Spec.KernelTruth.StallP50Microseconds
	t.Logf("%d requests waited for %d µs in the median, %d at most; %s", len(waited), median, waited[len(waited)-1], brief(w))
	// The client's requests are from before and after the recording as well.
	if off := max(median, stall) - min(median, stall); off > median/2+20_000 {
		t.Errorf("the client waited for %d µs, activations from outside stood still for %d", median, stall)
	}
	if n := int(w.Spec.Bursts.OutsideActivations); n > len(waited)+5 || n < 15 {
		t.Errorf("%d activations from outside for %d requests", n, len(waited))
	}
}

func TestLiveBatch(t *testing.T) {
	p := newLivePod(t, "report", 2)
	p.limit(t, 200)
	l := listenLive(t, "batch", recordedLeanIn, p)
	run(t, p.dir, "spin", "1")
	l.wait(t, p, "bursts", 30*time.Second, func(w *v1alpha1.KernelWhisper) bool { return w.Spec.Bursts != nil })
	l.replays(t)
}

func TestLiveContention(t *testing.T) {
	victim, hog := newLivePod(t, "search", 3), newLivePod(t, "encoder", 4)
	victim.set(t, "cpu.shares", 51)
	hog.set(t, "cpu.shares", 4096)
	l := listenLive(t, "contention", recordedLeanIn, victim, hog)
	const address = "127.0.0.1:18932"
	run(t, victim.dir, "serve", address)
	run(t, "", "ask", address)
	run(t, hog.dir, "spin", "4")
	l.wait(t, victim, "contention", 60*time.Second, func(w *v1alpha1.KernelWhisper) bool { return w.Spec.Reason == v1alpha1.ReasonCPUContention })
	l.replays(t)
}
