// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroupfs"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// tree is the cgroup file system of this machine, heard by one test.
type tree struct {
	*cgroupfs.Tree
	t      *testing.T
	mu     sync.Mutex
	events []event.Event
}

// plant opens it, walks it and reads until the test ends.
func plant(t *testing.T, way hooks.Way, k *kernel) *tree {
	t.Helper()
	h, err := cgroupfs.Find("")
	if err != nil {
		t.Fatal(err)
	}
	if want := hierarchy(t); h.Root != want.Root || h.V2 != want.V2 {
		t.Fatalf("found %+v, mounted is %+v", h, want)
	}
	options := cgroupfs.Options{Way: way, Now: probe.Now, Log: slog.New(slog.DiscardHandler)}
	if k != nil {
		options.Locate = k.Locate
	}
	opened, err := cgroupfs.Open(h, options)
	if err != nil {
		t.Fatal(err)
	}
	f := &tree{Tree: opened, t: t}
	if err := f.Walk(func(uint64, uint64, string) {}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() {
		if err := f.Read(ctx, f.take); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		reading.Wait()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *tree) take(e event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

// made waits for the making of a cgroup: the reader may not have begun.
func (f *tree) made(path string) event.Event {
	f.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		e, ok := made(f.events)[path]
		f.mu.Unlock()
		if ok {
			return e
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("%s was not heard of", path)
		}
	}
}

// until waits for the removal of a cgroup and returns what was heard below a path.
func (f *tree) until(path, below string) []event.Event {
	f.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		events := slices.Clone(f.events)
		f.mu.Unlock()
		if slices.ContainsFunc(events, func(e event.Event) bool { return e.Kind == event.CgroupRmdir && e.Path == path }) {
			return slices.DeleteFunc(events, func(e event.Event) bool { return !strings.HasPrefix(e.Path, below+"/") })
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("the removal of %s was not heard; %d other events", path, len(events))
		}
	}
}

// made are the cgroups that were made, by path.
func made(events []event.Event) map[string]event.Event {
	all := map[string]event.Event{}
	for _, e := range events {
		if e.Kind == event.CgroupMkdir {
			all[e.Path] = e
		}
	}
	return all
}

// Two thousand cgroups (fewer on an emulated CPU) come and go, each as soon as it was made, and some with others
// below them: the tree names what BPF names, and knows them by the same ids.
func TestTreeAgainstBPF(t *testing.T) {
	k := listen(t)
	dir, path := makeCgroup(t, "tree")
	f := plant(t, hooks.Inotify, k)
	n := 2000
	if slack > 1 {
		n = 60 // an emulated CPU makes and removes some few per second
	}
	for i := range n {
		name := filepath.Join(dir, fmt.Sprint(i))
		deep := name
		if i%10 == 0 {
			deep = filepath.Join(name, "container", "below")
		}
		if err := os.MkdirAll(deep, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
			t.Fatal(err)
		}
		for ; deep != dir; deep = filepath.Dir(deep) {
			removeCgroup(t, deep)
		}
	}
	last := fmt.Sprintf("%s/%d", path, n-1)
	tree := made(f.until(last, path))
	id := k.made(last).Cgroup
	k.find("the removal of the last", func(e event.Event) bool { return e.Kind == event.CgroupRmdir && e.Cgroup == id })
	bpf := made(k.kept)
	var late []time.Duration
	unnamed, unseen := 0, 0
	for p, want := range bpf {
		got, ok := tree[p]
		switch {
		case !strings.HasPrefix(p, path+"/"):
		case !ok && strings.Count(p, "/") > 2:
			unnamed++ // below one that was gone before it could be watched
		case !ok:
			t.Errorf("%s was not heard of", p)
		case got.Cgroup != want.Cgroup && got.Cgroup>>63 == 0:
			t.Errorf("%s: id %d, BPF has %d", p, got.Cgroup, want.Cgroup)
		case got.Cgroup != want.Cgroup:
			unseen++
		default:
			late = append(late, time.Duration(int64(got.Time)-int64(want.Time)))
			if got.Pointer != 0 && got.Pointer != want.Pointer {
				t.Errorf("%s: another pointer", p)
			}
		}
	}
	if f.Overflows() > 0 {
		t.Errorf("%d overflows", f.Overflows())
	}
	if len(late) == 0 { // on a slow machine all are gone when they are looked at
		late = []time.Duration{0}
	}
	slices.Sort(late)
	t.Logf("%d cgroups: %d seen, %d named that were gone before they could be looked at, %d below such not heard of; late by %s (median), %s (p99), %s (at most)",
		len(tree), len(bpf)-unseen-unnamed, unseen, unnamed, late[len(late)/2], late[len(late)*99/100], late[len(late)-1])
}

// What stays is known by id and by the kernel's address, whoever tells of it.
func TestTreeOfWhatStays(t *testing.T) {
	k := listen(t)
	for _, way := range []hooks.Way{hooks.Inotify, hooks.Poll} {
		t.Run(string(way), func(t *testing.T) {
			dir, path := makeCgroup(t, "stays-"+string(way))
			f := plant(t, way, k)
			f.Hurry(true)
			deep := filepath.Join(dir, "pod", "container")
			if err := os.MkdirAll(deep, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
				t.Fatal(err)
			}
			want := k.made(path + "/pod/container")
			f.Sync(probe.Now())
			got := f.made(want.Path)
			if got.Cgroup != want.Cgroup || got.Pointer != want.Pointer || got.Pointer == 0 {
				t.Errorf("id %d, BPF has %d; the same pointer: %t", got.Cgroup, want.Cgroup, got.Pointer == want.Pointer)
			}
			// By polling it is early by a tick of the kernel's clock, and late by what
			// passes until somebody opens the folder.
			off := time.Duration(int64(got.Time) - int64(want.Time))
			if off < -15*time.Millisecond || off > patience {
				t.Errorf("made %s after BPF heard it", off)
			}
			t.Logf("made %s after BPF heard it", off)
			removeCgroup(t, deep)
			removeCgroup(t, filepath.Dir(deep))
			f.until(path+"/pod", path)
		})
	}
}

// Bandwidth by files is that by the scheduler's own structures.
func TestTreeBandwidthAgainstBPF(t *testing.T) {
	k := listen(t)
	dir, path := makeCgroup(t, "tree-bandwidth")
	if h, err := cgroupfs.Find(""); err == nil && h.Usage != h.Root {
		usage := filepath.Join(h.Usage, path)          // as a runtime makes it in every hierarchy
		if err := os.Mkdir(usage, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
			t.Fatal(err)
		}
		t.Cleanup(func() { removeCgroup(t, usage) })
	}
	limit(t, dir, 20_000)
	m := k.made(path)
	f := plant(t, hooks.Off, nil)
	cmd := start(t, program(t, "spinner"), "spin")
	pid := fmt.Sprint(cmd.Process.Pid)
	write(t, filepath.Join(dir, "cgroup.procs"), pid)
	throttle(t, k, m)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	var want, got event.Group
	atOneMoment(t, dir, func() (err error) {
		if want, err = k.ReadGroup(m.Cgroup, m.Pointer); err == nil {
			got, err = f.ReadGroup(m.Cgroup, 0)
		}
		return err
	})
	if hierarchy(t).V2 {
		want.ThrottledTime = want.ThrottledTime / 1000 * 1000 // cpu.stat has microseconds
	}
	if got.Cgroup != want.Cgroup || got.Quota != want.Quota || got.Period != want.Period || got.Burst != want.Burst ||
		got.Periods != want.Periods || got.Throttled != want.Throttled || got.ThrottledTime != want.ThrottledTime || got.Shares != want.Shares {
		t.Errorf("by files %+v\nby BPF   %+v", got, want)
	}
	t.Logf("%d of %d periods and %d ns throttled by both", got.Throttled, got.Periods, got.ThrottledTime)
}

// A user who may not watch that many cgroups gets them polled.
func TestTooFewWatches(t *testing.T) {
	needKernel(t)
	dir, path := makeCgroup(t, "crowded")
	for i := range 10 {
		makeCgroup(t, fmt.Sprint("crowd-", i))
	}
	cmd := exec.Command(program(t, "crowded"), "crowded", path+"/seen")
	root := []syscall.SysProcIDMap{{Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: root, GidMappings: root}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("this machine makes no user namespaces, in which alone the limit can be set: %v", err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != string(hooks.Poll) {
		t.Errorf("with five watches it goes on by %q", lines.Text())
	}
	if err := os.Mkdir(filepath.Join(dir, "seen"), 0o755); err != nil { //nolint:gosec // cgroups are world-readable
		t.Fatal(err)
	}
	t.Cleanup(func() { removeCgroup(t, filepath.Join(dir, "seen")) })
	if !lines.Scan() || lines.Text() != "heard" {
		t.Errorf("what was made then: %q", lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// crowded reads the cgroups of the machine with five watches, until one is made.
func crowded(args []string) error {
	if err := os.WriteFile("/proc/sys/user/max_inotify_watches", []byte("5"), 0); err != nil {
		return err
	}
	h, err := cgroupfs.Find("")
	if err != nil {
		return err
	}
	f, err := cgroupfs.Open(h, cgroupfs.Options{Way: hooks.Inotify, Now: probe.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := f.Walk(func(uint64, uint64, string) {}); err != nil {
		return err
	}
	fmt.Println(f.Way())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return f.Read(ctx, func(e event.Event) {
		if e.Kind == event.CgroupMkdir && e.Path == args[0] {
			fmt.Println("heard")
			cancel()
		}
	})
}
