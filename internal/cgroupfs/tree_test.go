// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// patience bounds a failure, not a success.
const patience = 20 * time.Second

func now() uint64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return uint64(ts.Nano())
}

// forest is a tree over folders that are no cgroups: they come and go alike.
type forest struct {
	t    *testing.T
	dir  string
	tree *Tree

	mu      sync.Mutex
	events  []event.Event
	reading sync.WaitGroup
}

func plant(t *testing.T, way hooks.Way) *forest {
	t.Helper()
	f := &forest{t: t, dir: t.TempDir()}
	tree, err := Open(Hierarchy{Root: f.dir}, Options{Way: way, Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.Close() })
	f.tree = tree
	return f
}

func (f *forest) walk() {
	f.t.Helper()
	if err := f.tree.Walk(func(uint64, uint64, string) {}); err != nil {
		f.t.Fatal(err)
	}
}

// read reads until the test ends.
func (f *forest) read() {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f.reading.Go(func() {
		if err := f.tree.Read(ctx, f.take); err != nil {
			f.t.Error(err)
		}
	})
	f.t.Cleanup(func() { cancel(); f.reading.Wait() })
}

func (f *forest) take(e event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

func (f *forest) heard() []event.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]event.Event(nil), f.events...)
}

func (f *forest) mkdir(path string) {
	f.t.Helper()
	if err := os.MkdirAll(f.dir+path, 0o755); err != nil {
		f.t.Fatal(err)
	}
}

func (f *forest) remove(path string) {
	f.t.Helper()
	if err := os.RemoveAll(f.dir + path); err != nil {
		f.t.Fatal(err)
	}
}

// await waits until what is alive, by the events, is what is there.
func (f *forest) await() []event.Event {
	f.t.Helper()
	want := map[string]uint64{}
	_ = filepath.WalkDir(f.dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && p != f.dir {
			want[strings.TrimPrefix(p, f.dir)] = inodeOf(f.t, p)
		}
		return nil
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		events := f.heard()
		alive := map[string]uint64{}
		for _, e := range events {
			switch {
			case e.Kind == event.CgroupMkdir:
				alive[e.Path] = e.Cgroup
			case alive[e.Path] == e.Cgroup:
				delete(alive, e.Path)
			}
		}
		if maps.Equal(alive, want) {
			return events
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("heard %d events, alive by them %v; there are %v", len(events), alive, want)
		}
	}
}

func each(t *testing.T, test func(t *testing.T, way hooks.Way)) {
	for _, way := range []hooks.Way{hooks.Inotify, hooks.Poll} {
		t.Run(string(way), func(t *testing.T) { test(t, way) })
	}
}

func TestWhatIsThereIsWalked(t *testing.T) {
	each(t, func(t *testing.T, way hooks.Way) {
		f := plant(t, way)
		f.mkdir("/a/b/c")
		f.mkdir("/a/d")
		found := map[string]uint64{}
		var order []string
		if err := f.tree.Walk(func(id, pointer uint64, path string) {
			found[path] = id
			order = append(order, path)
			if pointer != 0 {
				t.Errorf("%s has a pointer", path)
			}
		}); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{"/", "/a", "/a/b", "/a/b/c", "/a/d"} {
			if found[p] == 0 || found[p] != inodeOf(t, f.dir+p) {
				t.Errorf("%s: id %d, inode %d", p, found[p], inodeOf(t, f.dir+p))
			}
		}
		if len(found) != 5 || order[0] != "/" || order[1] != "/a" {
			t.Errorf("walked %q", order)
		}
	})
}

func TestWhatIsMadeBetweenWalkAndReadIsHeard(t *testing.T) {
	f := plant(t, hooks.Inotify)
	f.walk()
	f.mkdir("/a/b")
	f.read()
	f.await()
}

func TestNestedFoldersMadeAtOnce(t *testing.T) {
	each(t, func(t *testing.T, way hooks.Way) {
		f := plant(t, way)
		f.walk()
		f.read()
		for i := range 50 {
			f.mkdir(fmt.Sprintf("/pod%d/container/below/deeper", i))
			if i%2 == 0 {
				f.remove(fmt.Sprintf("/pod%d", i))
			}
		}
		for _, e := range f.await() {
			if e.Kind == event.CgroupMkdir && e.Time > now() {
				t.Errorf("%+v is of the future", e)
			}
		}
	})
}

// A name that is made again belongs to another folder.
func TestTheSameNameAgain(t *testing.T) {
	each(t, func(t *testing.T, way hooks.Way) {
		f := plant(t, way)
		f.walk()
		f.read()
		for range 20 {
			f.mkdir("/a/b")
			f.await()
			f.remove("/a")
			f.mkdir("/a")
		}
		f.await()
	})
}

// Every name is heard, also of folders that are gone before anybody can look.
func TestManyThatComeAndGo(t *testing.T) {
	f := plant(t, hooks.Inotify)
	f.walk()
	f.read()
	const n = 2000
	for i := range n {
		p := fmt.Sprintf("/c%d", i)
		f.mkdir(p)
		f.remove(p)
	}
	f.mkdir("/end")
	made, removed := map[string]uint64{}, map[string]uint64{}
	for _, e := range f.await() {
		switch e.Kind {
		case event.CgroupMkdir:
			made[e.Path] = e.Cgroup
		case event.CgroupRmdir:
			removed[e.Path] = e.Cgroup
		}
	}
	if len(made) != n+1 || len(removed) != n {
		t.Errorf("%d made, %d removed of %d", len(made), len(removed), n)
	}
	for p, id := range removed {
		if made[p] != id {
			t.Errorf("%s: made as %d, removed as %d", p, made[p], id)
		}
	}
}

// What the watches tell is found at once by who asks, and in its order.
func TestSync(t *testing.T) {
	each(t, func(t *testing.T, way hooks.Way) {
		f := plant(t, way)
		f.walk()
		f.read()
		f.mkdir("/first")
		f.await() // it reads by now
		for i := range 100 {
			p := fmt.Sprintf("/pod%d", i)
			f.mkdir(p)
			f.tree.Sync(now())
			events := f.heard()
			if last := events[len(events)-1]; last.Path != p {
				t.Fatalf("the last that was heard is %+v, not %s", last, p)
			}
		}
	})
}

func TestNoWatchIsLeft(t *testing.T) {
	f := plant(t, hooks.Inotify)
	f.walk()
	f.read()
	for i := range 100 {
		f.mkdir(fmt.Sprintf("/a%d/b", i))
	}
	f.await()
	if n := watchesOf(t, f.tree); n != 201 {
		t.Errorf("%d watches of 201 folders", n)
	}
	for i := range 100 {
		f.remove(fmt.Sprintf("/a%d", i))
	}
	f.await()
	if n := watchesOf(t, f.tree); n != 1 {
		t.Errorf("%d watches of 1 folder", n)
	}
}

// Where no more can be watched it goes on by polling, and says so.
func TestFallingToPolling(t *testing.T) {
	f := plant(t, hooks.Inotify)
	var told error
	f.tree.options.Changed = func(_ hooks.Way, why error) { told = why }
	f.walk()
	f.read()
	f.mkdir("/a")
	f.await()
	f.tree.mu.Lock()
	f.tree.fallBack(unix.ENOSPC)
	f.tree.mu.Unlock()
	f.mkdir("/b/c")
	f.remove("/a")
	f.await()
	if f.tree.Way() != hooks.Poll || !errors.Is(told, unix.ENOSPC) {
		t.Errorf("goes on by %s, because of %v", f.tree.Way(), told)
	}
}

func TestAFullQueue(t *testing.T) {
	raw, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Fatal(err)
	}
	room, err := number(raw)
	if err != nil || room > 1<<16 {
		t.Skipf("the queue has room for %d: %v", room, err)
	}
	f := plant(t, hooks.Inotify)
	f.walk()
	for range room/2 + 2 {
		f.mkdir("/a")
		f.remove("/a")
	}
	f.mkdir("/b/c") // what is told of it does not fit
	f.read()
	f.await()
	if loss, err := (Floor{f.tree}).Lost(); err != nil || loss.Overflows == 0 || loss.Counted() != 0 {
		t.Errorf("lost %+v, %v", loss, err)
	}
}

// Polled folders have their own time, not that of the look which found them.
func TestWhenPolledFoldersWereMade(t *testing.T) {
	f := plant(t, hooks.Poll)
	f.walk()
	f.read()
	f.mkdir("/first")
	f.await()
	for i := range 5 {
		before := now()
		p := fmt.Sprintf("/a%d", i)
		f.mkdir(p)
		after := now()
		for _, e := range f.await() {
			// The kernel's coarse clock lags by a tick.
			if tick := uint64(10e6); e.Path == p && (e.Time+tick < before || e.Time > after+tick) {
				t.Errorf("made within %d µs after %d, heard as of %d", (after-before)/1000, before, e.Time)
			}
		}
	}
}

func TestLearn(t *testing.T) {
	f := plant(t, hooks.Off)
	f.mkdir("/a")
	f.tree.Learn(7, "/a")
	f.tree.Learn(8, "/gone")
	if n := f.tree.byID[7]; n == nil || n.inode != inodeOf(t, f.dir+"/a") {
		t.Errorf("learnt %+v", n)
	}
	f.tree.Forget(7)
	if len(f.tree.byID) != 1 {
		t.Errorf("%d are known after they were forgotten", len(f.tree.byID))
	}
}

// Who learns of cgroups by another way may miss the end of one: a walk finds it.
func TestWhatWasLearntIsDroppedByAWalk(t *testing.T) {
	f := plant(t, hooks.Off)
	f.walk()
	for _, p := range []string{"/stays", "/goes", "/again"} {
		f.mkdir(p)
	}
	// The kernel's own ids are others than the numbers of inodes before Linux 5.5.
	f.tree.Learn(7<<32, "/stays")
	f.tree.Learn(8<<32, "/goes")
	f.tree.Learn(9<<32, "/again")
	f.remove("/goes")
	f.mkdir("/another") // made before the first is gone: its inode has another number
	f.remove("/again")
	if err := os.Rename(f.dir+"/another", f.dir+"/again"); err != nil {
		t.Fatal(err)
	}
	f.walk()
	if f.tree.byID[7<<32] == nil || f.tree.byID[8<<32] != nil || f.tree.byID[9<<32] != nil {
		t.Errorf("known are %v", f.tree.byID)
	}
}

// A folder that cannot be read hides what is in it: what is found is not all.
func TestAWalkThatCannotReadAll(t *testing.T) {
	f := plant(t, hooks.Off)
	f.mkdir("/a")
	f.deepen(unix.PathMax)
	f.tree.Learn(7<<32, "/a")
	f.tree.byID[8<<32] = &node{path: "/hidden-or-gone", id: 8 << 32, watch: noWatch}
	var found []string
	err := f.tree.Walk(func(_, _ uint64, path string) { found = append(found, path) })
	if !errors.Is(err, event.ErrIncomplete) || !slices.Contains(found, "/a") || f.tree.byID[8<<32] == nil {
		t.Errorf("%v; %d found", err, len(found))
	}
}

// deepen makes folders in each other until their path is longer than can be opened.
func (f *forest) deepen(longer int) {
	f.t.Helper()
	dir, err := unix.Open(f.dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	name := strings.Repeat("d", 250)
	for n := 0; err == nil && n <= longer; n += len(name) {
		if err = unix.Mkdirat(dir, name, 0o755); err != nil {
			break
		}
		above := dir
		dir, err = unix.Openat(above, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		_ = unix.Close(above)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	_ = unix.Close(dir)
}

func watchesOf(t *testing.T, tree *Tree) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", tree.watches.fd))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(raw), "inotify wd:")
}

func inodeOf(t *testing.T, path string) uint64 {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Ino
}
