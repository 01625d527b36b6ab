// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
)

// runtimeName is the base name under which this program plays the runtime.
const runtimeName = "gossip-runtime"

// stage is where the demo's workloads live: a folder with the runtime's program
// and a cgroup of their own. clear removes all of it.
type stage struct {
	folder string
	cgroup string // in the file system
	v2     bool
	procs  []*exec.Cmd
}

func newStage() (*stage, error) {
	hierarchy, err := cpuHierarchy()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "kernel-gossip-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the demo: %w", err)
	}
	s := &stage{folder: folder, v2: hierarchy.V2, cgroup: filepath.Join(hierarchy.Root, filepath.Base(folder))}
	self, err := os.Executable()
	if err == nil {
		err = copyFile(self, s.runtime())
	}
	if err == nil {
		err = s.makeCgroup(hierarchy.Root, "")
	}
	if err != nil {
		return nil, errors.Join(err, s.clear())
	}
	return s, nil
}

func (s *stage) runtime() string { return filepath.Join(s.folder, runtimeName) }

// makeCgroup makes a cgroup below the stage's own and lets its children have
// CPU limits.
func (s *stage) makeCgroup(root, name string) error {
	dir := filepath.Join(s.cgroup, name)
	if s.v2 && root != "" {
		// Usually on already; a cgroup tree without it could limit nobody's CPU.
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+cpu"), 0); err != nil {
			return fmt.Errorf("enable the cpu controller: %w", err)
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("make a cgroup: %w", err)
	}
	if s.v2 {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+cpu"), 0); err != nil {
			return fmt.Errorf("enable the cpu controller: %w", err)
		}
	}
	return nil
}

// pod is a pod that the demo runs, with one container.
type pod struct {
	uid, name, containerID string
	dir                    string // the pod's cgroup in the file system
	init                   int    // the container's process
}

func (p *pod) containerDir() string { return filepath.Join(p.dir, p.containerID) }

func newPod(name string) *pod {
	u := random(16)
	return &pod{
		name: name, containerID: random(32),
		uid: fmt.Sprintf("%s-%s-%s-%s-%s", u[:8], u[8:12], u[12:16], u[16:20], u[20:]),
	}
}

func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// start makes the pod's cgroup and has the runtime create its container.
func (s *stage) start(p *pod, quotaPercent int, command string) error {
	p.dir = filepath.Join(s.cgroup, "pod"+p.uid)
	if err := s.makeCgroup("", "pod"+p.uid); err != nil {
		return err
	}
	cmd := exec.Command(s.runtime(), "create", p.dir, fmt.Sprint(quotaPercent), command, p.containerID)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start the runtime: %w", err)
	}
	// The container's process outlives the runtime that made it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the runtime: %w", err)
	}
	s.procs = append(s.procs, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the runtime did not create the container: %w", err)
	}
	_, err = fmt.Sscanf(line, "pid %d", &p.init)
	return err
}

// clear ends the workloads and removes what the demo made.
func (s *stage) clear() error {
	var errs []error
	for _, cmd := range s.procs {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the group that we made for it
		_ = cmd.Wait()
	}
	errs = append(errs, removeCgroups(s.cgroup), os.RemoveAll(s.folder))
	return errors.Join(errs...)
}

// removeCgroups removes a cgroup and those below it. A killed process leaves
// its cgroup a little after its death is known.
func removeCgroups(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append([]string{path}, dirs...)
		}
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, d := range dirs {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if err = os.Remove(d); err == nil || errors.Is(err, os.ErrNotExist) {
				err = nil
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("remove the demo's cgroup: %w", err)
			}
		}
	}
	return err
}

func cpuHierarchy() (cgroup.Hierarchy, error) {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return cgroup.Hierarchy{}, fmt.Errorf("find the cgroup hierarchy: %w", err)
	}
	defer func() { _ = mounts.Close() }()
	return cgroup.FindHierarchy(mounts, func(root string) string {
		raw, _ := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
		return string(raw)
	})
}

func copyFile(from, to string) error {
	raw, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, raw, 0o755)
	}
	if err != nil {
		return fmt.Errorf("copy the demo's program: %w", err)
	}
	return nil
}
