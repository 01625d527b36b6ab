// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
)

const (
	period = 100 * time.Millisecond // the kubelet's
	// Weights, as cpu.shares: the bench against the rest of the machine, a container
	// against its neighbor.
	weightBench, weightContainer, weightNeighbor = 10240, 1024, 512
)

// stage is the bench's own part of the cgroup tree.
type stage struct {
	root string // of the hierarchy
	dir  string
	v2   bool
}

// stagePrefix and the bench's process id are its name.
const stagePrefix = "kernel-gossip-recommender-"

func newStage() (*stage, error) {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("find the cgroup hierarchy: %w", err)
	}
	defer func() { _ = mounts.Close() }()
	h, err := cgroup.FindHierarchy(mounts, func(root string) string {
		raw, _ := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
		return string(raw)
	})
	if err != nil {
		return nil, err
	}
	s := &stage{root: h.Root, v2: h.V2, dir: filepath.Join(h.Root, stagePrefix+strconv.Itoa(os.Getpid()))}
	s.sweep()
	if s.v2 {
		if err := s.passOn(h.Root); err != nil {
			return nil, err
		}
	}
	return s, s.make("", weightBench)
}

// sweep removes what a bench that was killed left: its processes ended with it.
func (s *stage) sweep() {
	left, _ := filepath.Glob(filepath.Join(s.root, stagePrefix+"*"))
	for _, dir := range left {
		pid := strings.TrimPrefix(filepath.Base(dir), stagePrefix)
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, os.ErrNotExist) {
			_ = removeTree(dir)
		}
	}
}

// passOn lets a cgroup's children have weights and limits (v2).
func (s *stage) passOn(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+cpu"), 0); err != nil {
		return fmt.Errorf("pass the cpu controller on: %w", err)
	}
	return nil
}

// make makes a cgroup below the stage's own. Those that have children hold no
// processes.
func (s *stage) make(name string, shares int) error {
	dir := filepath.Join(s.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("make a cgroup: %w", err)
	}
	file, value := "cpu.shares", shares
	if s.v2 {
		// As runc converts them.
		file, value = "cpu.weight", 1+(shares-2)*9999/262142
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(value)), 0); err != nil {
		return fmt.Errorf("weigh a cgroup: %w", err)
	}
	inner := name == "" || strings.HasPrefix(name, "pod") && !strings.Contains(name, "/")
	if s.v2 && inner {
		return s.passOn(dir)
	}
	return nil
}

func (s *stage) join(name string, pid int) error {
	if err := os.WriteFile(filepath.Join(s.dir, name, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
		return fmt.Errorf("put a process into its cgroup: %w", err)
	}
	return nil
}

func (s *stage) close() error { return removeTree(s.dir) }

// removeTree removes cgroups from the leaves up. A killed process leaves its
// cgroup a little after its death is known.
func removeTree(dir string) error {
	var dirs []string
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append([]string{path}, dirs...)
		}
		return nil
	})
	for _, d := range dirs {
		err := os.Remove(d)
		for deadline := time.Now().Add(5 * time.Second); errors.Is(err, syscall.EBUSY) && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
			err = os.Remove(d)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove a cgroup of the bench: %w", err)
		}
	}
	return nil
}

// place is a pod's cgroup with its container's, as the kubelet makes them: both
// carry the limit.
type place struct {
	stage *stage
	pod   string // below the stage
	limit time.Duration
}

func (p *place) container() string { return p.pod + "/container" }
func (p *place) dir() string       { return filepath.Join(p.stage.dir, p.container()) }
func (p *place) podDir() string    { return filepath.Join(p.stage.dir, p.pod) }
func (p *place) levels() []string  { return []string{p.dir(), p.podDir()} }
func quotaOf(cores float64) time.Duration {
	return time.Duration(cores * float64(period)).Round(time.Microsecond)
}

func (s *stage) newPlace(pod string, shares int) (*place, error) {
	p := &place{stage: s, pod: pod}
	return p, errors.Join(s.make(pod, shares), s.make(p.container(), shares))
}

// resize writes the limit in the order that never lets a child have more than its
// parent, as a resize in place does.
func (p *place) resize(cores float64) error {
	quota := quotaOf(cores)
	dirs := []string{p.podDir(), p.dir()}
	if p.limit > 0 && quota < p.limit {
		dirs = p.levels()
	}
	file, value := "cpu.cfs_quota_us", strconv.FormatInt(quota.Microseconds(), 10)
	if p.stage.v2 {
		file, value = "cpu.max", fmt.Sprintf("%d %d", quota.Microseconds(), period.Microseconds())
	}
	for _, dir := range dirs {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0); err != nil {
			return fmt.Errorf("write the limit: %w", err)
		}
	}
	p.limit = quota
	return nil
}

// stat is one reading of a level's cpu.stat, and of its CPU time.
type stat struct {
	At        time.Duration // CLOCK_MONOTONIC
	Periods   int
	Throttled int
	Usage     time.Duration
}

func (p *place) read(dir string) (stat, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "cpu.stat"))
	if err != nil {
		return stat{}, fmt.Errorf("read cpu.stat: %w", err)
	}
	out := stat{At: monotonic()}
	for line := range strings.Lines(string(raw)) {
		var name string
		var value int64
		if n, _ := fmt.Sscan(line, &name, &value); n != 2 {
			continue
		}
		switch name {
		case "nr_periods":
			out.Periods = int(value)
		case "nr_throttled":
			out.Throttled = int(value)
		case "usage_usec":
			out.Usage = time.Duration(value) * time.Microsecond
		}
	}
	return out, nil
}
