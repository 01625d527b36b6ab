// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/groups"
	"github.com/kernel-gossip/kernel-gossip/hack/bench/subject"
)

// Cgroups of the bench, below one of its own.
const (
	groupWork   = "work"
	groupBirths = "births"
	groupLean   = "lean"
	groupRival  = "rival"
	groupPods   = "kubepods"
)

//go:embed storm/storm.c
var stormSource []byte

// scale is how much is measured.
type scale struct {
	pairs, rounds int
	long          time.Duration // of one measurement of a workload
	births, idles int           // births of a block; measurements of each number of pods
	idle          time.Duration
	storm         time.Duration
	blocks        int // pairs of blocks of births, for each rival
}

// bench is the machinery that the parts share.
type bench struct {
	scale    scale
	observer string // the program
	folder   string // for what is built and unpacked
	groups   *groups.Groups
	work     *work
	lean     *helper
	pods     int // made so far
	say      func(format string, args ...any)
	part     string
	began    time.Time
}

func newBench(o options, say func(string, ...any)) (b *bench, err error) {
	b = &bench{scale: o.scale(), observer: o.observer, say: say}
	if b.folder, err = os.MkdirTemp("", "kernel-gossip-cost-"); err != nil {
		return nil, err
	}
	if b.groups, err = groups.New("kernel-gossip-cost"); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, errors.Join(b.prepare())
}

func (b *bench) prepare() (err error) {
	if err := b.groups.Favor(); err != nil {
		return fmt.Errorf("weigh the bench's cgroup: %w", err)
	}
	for _, name := range []string{groupBirths, groupLean, groupRival} {
		if err := b.groups.Mkdir(name); err != nil {
			return err
		}
	}
	if err := b.buildStorm(); err != nil {
		return err
	}
	if b.work, err = startWork(b.groups, groupWork, float64(b.scale.long)); err != nil {
		return err
	}
	b.lean, err = startHelper(b.groups, groupLean, "lean")
	return err
}

// buildStorm compiles the program that stands in for whoever is to be heard.
func (b *bench) buildStorm() error {
	source := filepath.Join(b.folder, "storm.c")
	if err := os.WriteFile(source, stormSource, 0o600); err != nil {
		return err
	}
	out, err := exec.Command("cc", "-O2", "-static", "-o", b.storm(), source).CombinedOutput()
	if err != nil {
		return fmt.Errorf("compile storm.c: %w: %s", err, out)
	}
	return nil
}

// storm has the name of a runtime: who executes it opens a session.
func (b *bench) storm() string { return filepath.Join(b.folder, "runc") }

func (b *bench) close() error {
	var all []error
	if b.work != nil {
		all = append(all, b.work.close())
	}
	if b.lean != nil {
		all = append(all, b.lean.close())
	}
	if b.groups != nil {
		all = append(all, b.groups.Remove())
	}
	return errors.Join(append(all, os.RemoveAll(b.folder))...)
}

// progress says how far a part is.
func (b *bench) progress(format string, args ...any) {
	b.say("%s, %.0f s: %s", b.part, time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// doAll does every workload once.
func (b *bench) doAll() error {
	for _, name := range workloads {
		if _, err := b.work.do(name, b.work.amounts[name]); err != nil {
			return err
		}
	}
	return nil
}

// observe starts the observer's program, without a cluster.
func (b *bench) observe(ctx context.Context) (*subject.Subject, error) {
	s, err := subject.Observer(ctx, b.observer, b.groups, "--cluster=off")
	if err != nil {
		return nil, err
	}
	return s, s.Wait(ctx, settle)
}

// settle is how long the machine is left alone after a program was started or ended:
// what the kernel clears away later is not to fall into a measurement.
const settle = 200 * time.Millisecond

// end ends the observer.
func end(s *subject.Subject) error {
	err := s.End()
	time.Sleep(settle)
	return err
}

// arm makes the observer hear system calls, as it does while a pod is born: a pod's
// cgroup appears. It stays so until five seconds after the cgroup was removed.
func (b *bench) arm(ctx context.Context, s *subject.Subject) error {
	if err := b.stayArmed(); err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); !armed(s); {
		if time.Now().After(deadline) {
			return errors.New("the observer does not hear system calls although a pod's cgroup was made")
		}
		if err := s.Wait(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return s.Wait(ctx, 100*time.Millisecond) // the rest of the hooks
}

// armed tells whether the observer hears system calls: by its hooks, or by its own
// word, which comes up to a second later.
func armed(s *subject.Subject) bool {
	if hooked(s.PID(), "sys_exit") {
		return true
	}
	heard, ok := s.Metric("kernel_gossip_observer_syscalls_heard")
	return ok && heard > 0
}

// stayArmed makes another pod's cgroup.
func (b *bench) stayArmed() error {
	return b.groups.Mkdir(groupPods + "/burstable/pod" + b.uid())
}

// uid of a new pod.
func (b *bench) uid() string {
	b.pods++
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", time.Now().Unix(), b.pods)
}

// clearPods removes the pods' cgroups.
func (b *bench) clearPods() error { return b.groups.RemoveBelow(groupPods) }
