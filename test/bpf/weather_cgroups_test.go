// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// five thousand cgroups of pods and containers are made and removed. The
// dictionary knows those that are left and, once the time is up for which a removed
// one can still be named, no other; and the memory is back.
func TestThousandsOfCgroups(t *testing.T) {
	k := listen(t)
	dir, path := makeCgroup(t, "thousands")
	engine, err := observer.NewEngine(weatherConfig(t, probe.Wall), k.Probe, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	before, memory := engine.Stats().Cgroups, heapInUse()
	own, removed := map[uint64]bool{}, 0
	hear := func(to string) {
		t.Helper()
		k.find("the making of "+to, func(e event.Event) bool {
			engine.Event(e, e.Time)
			if e.Kind == event.CgroupMkdir && strings.HasPrefix(e.Path, path+"/") {
				own[e.Cgroup] = true
			}
			if e.Kind == event.CgroupRmdir && own[e.Cgroup] {
				removed++
			}
			return e.Kind == event.CgroupMkdir && strings.HasPrefix(e.Path, path+"/") && strings.HasSuffix(e.Path, to)
		})
		k.kept = nil // each is heard once
	}
	const pods, atOnce = 2500, 250
	for i := range pods {
		// The ring has room for more than twice as many: whoever reads it may be late.
		if i%atOnce == atOnce-1 {
			hear(fmt.Sprintf("/pod00000000-0000-4000-8000-%012d", i-1))
		}
		pod := filepath.Join(dir, fmt.Sprintf("pod00000000-0000-4000-8000-%012d", i))
		container := filepath.Join(pod, fmt.Sprintf("%064x", i))
		for _, d := range []string{pod, container} {
			if err := os.Mkdir(d, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
				t.Fatal(err)
			}
		}
		for _, d := range []string{container, pod} {
			if err := os.Remove(d); err != nil {
				t.Fatal(err)
			}
		}
	}
	stays := filepath.Join(dir, "stays")
	makeDir(t, stays)
	hear("/stays")
	if len(own) != 2*pods+1 || removed != 2*pods {
		t.Errorf("%d cgroups were heard to be made and %d to be removed, want %d and %d", len(own), removed, 2*pods+1, 2*pods)
	}
	full := heapInUse()
	later := probe.Now() + uint64(6*time.Minute)
	for i := range uint64(2) { // pods that nobody named are given up; a second look waits no longer for names
		engine.Births(later + i*uint64(time.Minute))
	}
	engine.Sweep(later)
	if got, want := engine.Stats().Cgroups, inThe(t, hierarchy(t).Root); got < before || got > want+20 {
		t.Errorf("%d cgroups in the dictionary, %d before, %d in the file system", got, before, want)
	}
	if s := engine.Stats(); s.BirthsOpen > 20 {
		t.Errorf("%d births are still open", s.BirthsOpen)
	}
	own = nil
	after := heapInUse()
	t.Logf("%d cgroups made and removed; heap %d KiB before, %d KiB at the end of it, %d KiB after", 2*pods, memory>>10, full>>10, after>>10)
	if after > memory+4<<20 {
		t.Errorf("the memory does not come back: %d KiB before, %d KiB after", memory>>10, after>>10)
	}
}

// inThe is how many cgroups a hierarchy has.
func inThe(t *testing.T, root string) (n int) {
	t.Helper()
	_ = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			n++
		}
		return nil // what vanishes meanwhile is not ours
	})
	return n
}

// Whoever begins to listen while cgroups are made and removed around it still
// learns of all those that stay.
func TestWalkWhileCgroupsComeAndGo(t *testing.T) {
	k := listen(t)
	dir, path := makeCgroup(t, "churn")
	// Those that stay are made between others that go: the walk steps from one to the next.
	const stay, goers = 100, 20
	churn := func(i int, on func() bool) {
		for n := 0; on(); n++ {
			d := filepath.Join(dir, fmt.Sprintf("goes-%d-%d", i, n%goers))
			if os.Mkdir(d, 0o755) == nil { //nolint:gosec // cgroups are world-readable
				_ = os.Remove(d)
			}
		}
	}
	for i := range stay {
		goes := filepath.Join(dir, fmt.Sprintf("goes-%d-%d", i%2, i%goers))
		_ = os.Mkdir(goes, 0o755) //nolint:gosec // cgroups are world-readable
		makeDir(t, filepath.Join(dir, fmt.Sprint("stays-", i)))
		if i%goers == goers-1 {
			_ = os.Remove(goes)
		}
	}
	stop := make(chan struct{})
	var group sync.WaitGroup
	for i := range 2 {
		group.Go(func() {
			churn(i, func() bool {
				select {
				case <-stop:
					return false
				default:
					return true
				}
			})
		})
	}
	t.Cleanup(func() {
		for i := range 2 {
			for n := range goers {
				_ = os.Remove(filepath.Join(dir, fmt.Sprintf("goes-%d-%d", i, n)))
			}
		}
	})
	defer group.Wait()
	defer close(stop)
	for range 100 {
		found := map[string]bool{}
		if err := k.Walk(func(_, _ uint64, p string) { found[p] = true }); err != nil {
			t.Fatal(err)
		}
		for i := range stay {
			if p := fmt.Sprintf("%s/stays-%d", path, i); !found[p] {
				t.Fatalf("%s was not found, among %d", p, len(found))
			}
		}
	}
}
