// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
)

// watchConfig is the observer's own, with shorter lean-ins.
func watchConfig() cpu.Config {
	c := cpu.DefaultConfig()
	c.LeanIn = 5 * time.Second
	c.Wall = func(at uint64) time.Time { return time.Unix(0, int64(at)) }
	return c
}

// leanedIn has a cgroup watched as the observer does, as the container app of pod
// shop/victim, until it has been leaned in on: what is told then, and what was heard.
func leanedIn(t *testing.T, l *bursts.Listener, watch *cpu.Watch, dir string, group func() event.Group) ([]*v1alpha1.KernelWhisper, event.Recording) {
	t.Helper()
	container := cpu.Container{Namespace: "shop", Pod: "victim", PodUID: "1", Name: "app", ID: dir}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Second) {
		g := group()
		watch.Node(nodeNow(t))
		watch.Take(cpu.Sample{Container: container, Levels: []cpu.Level{{At: v1alpha1.ThrottledAtContainer, Path: dir, Group: g}}})
		for _, wish := range watch.LeanIns(g.Time) {
			h := cpu.Heard{ContainerID: wish.ContainerID, Why: wish.Why}
			eavesdrop(t, l, dir)
			before := group()
			h.Before = nodeNow(t)
			time.Sleep(wish.For)
			after := group()
			h.After = nodeNow(t)
			h.Recording = stopListening(t, l, dir)
			h.Recording.Before, h.Recording.After = []event.Group{before}, []event.Group{after}
			h.Recording.Stolen = cpu.Stolen(h.Before, h.After)
			h.Judge()
			return watch.Heard(h, after.Time), h.Recording
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is not leaned in on: %v", cpuStat(t, dir))
		}
	}
}

// nodeNow is how this machine's CPUs have spent their time.
func nodeNow(t *testing.T) cpu.Node {
	t.Helper()
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	n, err := cpu.ParseNode(string(raw), uint64(readClock(unix.CLOCK_MONOTONIC)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// mustLocate finds a cgroup in the kernel's own lists.
func mustLocate(t *testing.T, k *kernel, path string) (read func() event.Group) {
	t.Helper()
	id, pointer, err := k.Locate(path)
	if err != nil {
		t.Fatal(err)
	}
	return func() event.Group {
		g, err := k.ReadGroup(id, pointer)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
}

// weigh gives a cgroup a weight, in the unit of cgroup v2: 1 to 10,000, and 100 is what
// a single process has that is in none. A great one makes that what others do on a busy
// machine does not count.
func weigh(t *testing.T, dir string, weight int) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "cpu.weight")); err == nil {
		write(t, filepath.Join(dir, "cpu.weight"), strconv.Itoa(weight))
		return
	}
	write(t, filepath.Join(dir, "cpu.shares"), strconv.Itoa(weight*1024/100))
}
