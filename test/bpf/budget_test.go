// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cost"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

const (
	// suspectsMany are throttled at the same time: more than are listened to at once.
	suspectsMany = 6
	// suspectsFor is how long they are observed at least, and until each was told of;
	// suspectsLeanIn is how long a lean-in lasts.
	suspectsFor    = 20 * time.Second
	suspectsLeanIn = 2 * time.Second
)

// suspects are containers whose threads pass bytes to and fro below a limit: each
// byte is a burst, and so a lean-in is as dear as it can be.
func suspects(t *testing.T) (root string, all []observer.PodUpdate) {
	t.Helper()
	top, root := makeCgroup(t, "budget")
	v2 := hierarchy(t).V2
	for i := range suspectsMany {
		uid := fmt.Sprintf("00000000-0000-4000-8000-00000000b%03d", i)
		id := strings.Repeat("b", 61) + fmt.Sprintf("%03d", i)
		dir := top
		for _, name := range []string{"pod" + uid, id} {
			if v2 {
				write(t, filepath.Join(dir, "cgroup.subtree_control"), "+cpu")
			}
			dir = filepath.Join(dir, name)
			if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
				t.Fatal(err)
			}
			made := dir
			t.Cleanup(func() { removeCgroup(t, made) })
		}
		limit(t, dir, 4_000)
		act(t, "pipe", dir, time.Hour, "free").begin(t)
		all = append(all, observer.PodUpdate{Pod: birth.Pod{
			UID: uid, Namespace: "shop", Name: fmt.Sprint("suspect-", i), Phase: "Running", Ready: true,
			Containers: []birth.Container{{Name: "app", ID: id, Running: true, Started: true, Ready: true, Runtime: "containerd"}},
		}})
	}
	return root, all
}

// below is a kernel that knows the cgroups of the suspects only. A walk may stop
// where others remove cgroups at the same time, or tell some twice: it is made again
// until it has found all.
type below struct {
	*probe.Probe
	t    *testing.T
	root string
}

func (b below) Walk(visit func(id, pointer uint64, path string)) error {
	type seen struct {
		id, pointer uint64
		path        string
	}
	for deadline := time.Now().Add(patience); ; {
		var all []seen
		known := map[uint64]bool{}
		err := b.Probe.Walk(func(id, pointer uint64, path string) {
			if strings.HasPrefix(path, b.root+"/") && !known[id] {
				known[id] = true
				all = append(all, seen{id, pointer, path})
			}
		})
		if err != nil {
			return err
		}
		if len(all) == 2*suspectsMany {
			for _, s := range all {
				visit(s.id, s.pointer, s.path)
			}
			return nil
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%d of %d cgroups were found", len(all), 2*suspectsMany)
		}
	}
}

// spentOn is what came of observing the suspects.
type spentOn struct {
	stats    observer.Stats
	usage    cost.Usage
	cpu      time.Duration // the observer's own, from when the account was as it should be
	took     time.Duration
	whispers map[string]*v1alpha1.KernelWhisper
}

// perSecond is the observer's share of one core.
func (s *spentOn) perSecond() float64 { return s.cpu.Seconds() / s.took.Seconds() }

// Certificate implements observer.Sink.
func (*spentOn) Certificate(*v1alpha1.PodBirthCertificate) {}

// Whisper implements observer.Sink.
func (s *spentOn) Whisper(w *v1alpha1.KernelWhisper) { s.whispers[w.Spec.PodRef.Name] = w }

// observeSuspects observes for a while, with a budget (a share of one core).
func observeSuspects(t *testing.T, k *kernel, budget float64, root string, pods []observer.PodUpdate) *spentOn {
	t.Helper()
	ears := observer.NewEars(ears(t), k.ReadGroup, nil, slog.New(slog.DiscardHandler))
	keeper := cost.NewKeeper(budget, cost.ReadProcess, slog.New(slog.DiscardHandler))
	ears.ChargeTo(keeper)
	before := overspend(keeper, budget)
	out := &spentOn{whispers: map[string]*v1alpha1.KernelWhisper{}}
	config := observer.Config{
		Birth: birth.Config{NodeName: "node1", Timeout: time.Minute, Wall: wallAt}, CPU: cpu.DefaultConfig(), DisarmAfter: time.Second,
	}
	config.CPU.NodeName, config.CPU.Wall, config.CPU.LeanIn = "node1", wallAt, suspectsLeanIn
	engine, err := observer.NewEngine(config, below{k.Probe, t, root}, slog.New(slog.DiscardHandler), out)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan observer.PodUpdate, len(pods))
	for _, p := range pods {
		told <- p
	}
	ctx, stop := context.WithTimeout(context.Background(), suspectsFor+patience)
	defer stop()
	began := time.Now()
	var all sync.WaitGroup
	all.Go(func() { ears.Run(ctx) })
	err = observer.Run(ctx, engine, observer.Inputs{
		Read: func(ctx context.Context, _ func(event.Event)) error { <-ctx.Done(); return nil },
		Pods: told, Now: probe.Now, Cost: keeper, LeanIn: ears.LeanIn, Heard: ears.Heard(),
		Stats: func(s observer.Stats) {
			out.stats = s
			if time.Since(began) >= suspectsFor && len(out.whispers) == suspectsMany {
				stop()
			}
		},
	})
	all.Wait()
	if err != nil {
		t.Fatal(err)
	}
	keeper.Tick(time.Now(), cost.Doing{})
	out.usage = keeper.Usage()
	out.cpu, out.took = spentInAll(out.usage)-before, time.Since(began)
	return out
}

// overspend empties the account, as a storm of births would, and returns what was
// spent until then.
func overspend(k *cost.Keeper, budget float64) time.Duration {
	k.Tick(time.Now(), cost.Doing{})
	for budget > 0 && k.Usage().Balance >= 0 {
		for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); {
			_ = os.Getpid()
		}
		k.Tick(time.Now(), cost.Doing{Births: true})
	}
	return spentInAll(k.Usage())
}

func spentInAll(u cost.Usage) (all time.Duration) {
	for _, spent := range u.Own {
		all += spent
	}
	return all
}

func wallAt(monotonic uint64) time.Time {
	return time.Now().Add(time.Duration(int64(monotonic) - int64(probe.Now())))
}

// A small budget, more suspects than it pays for: lean-ins are refused, the whispers
// say so, and the observer costs less.
func TestABudgetIsKept(t *testing.T) {
	k := listen(t)
	if _, err := os.Stat(boundsPage); err != nil {
		t.Skip("no sources here: an emulated CPU would be compared with itself; it runs on the machine")
	}
	root, pods := suspects(t)
	free := observeSuspects(t, k, 0, root, pods)
	held := observeSuspects(t, k, 0.001, root, pods)
	for name, s := range map[string]*spentOn{"no budget": free, "0.1 %": held} {
		c := s.stats.CPU
		t.Logf("%s: %.1f ms of CPU per second (replays %s in all), %v lean-ins, %d shortened, %d refused, %d bursts, %d readings left out, step %s",
			name, 1000*s.perSecond(), s.usage.Own[cost.PartReplay].Round(time.Millisecond),
			c.LeanIns, c.Shortened, c.Withheld, c.Bursts, s.stats.ReadingsSkipped, s.usage.Step)
	}
	if free.stats.CPU.Withheld != 0 || free.stats.CPU.Shortened != 0 || free.usage.Step != cost.Normal {
		t.Errorf("something gave way without a budget: %+v", free.stats.CPU)
	}
	if held.usage.Step < cost.Refused || held.stats.CPU.Withheld == 0 {
		t.Errorf("nothing was refused: step %s, %+v", held.usage.Step, held.stats.CPU)
	}
	said := 0
	for _, w := range held.whispers {
		if w.Spec.BurstsMissing != "" && w.Spec.Bursts != nil {
			t.Errorf("%s has bursts and says why not", w.Name)
		}
		if w.Spec.BurstsMissing == v1alpha1.BurstsMissingCPUBudget {
			said++
		}
	}
	if said == 0 {
		t.Errorf("none of %d whispers says why it has no bursts", len(held.whispers))
	}
	if len(held.whispers) != len(free.whispers) {
		t.Errorf("%d containers were told of, without a budget %d", len(held.whispers), len(free.whispers))
	}
	if held.perSecond() >= free.perSecond() {
		t.Errorf("with a budget %s in %s, without %s in %s", held.cpu, held.took, free.cpu, free.took)
	}
}
