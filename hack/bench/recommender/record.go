// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
)

// recorder hears a container's bursts as the observer does.
type recorder struct {
	probe    *probe.Probe
	listener *bursts.Listener
	levels   []group // the container's own first
}

// group is how the probe finds a cgroup.
type group struct{ id, pointer uint64 }

func newRecorder() (*recorder, error) {
	p, err := probe.Load(probe.Options{})
	if err != nil {
		return nil, err
	}
	l, err := bursts.Load(bursts.Options{})
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return &recorder{probe: p, listener: l}, nil
}

func (r *recorder) close() error { return errors.Join(r.listener.Close(), r.probe.Close()) }

// find makes a place the recorder's.
func (r *recorder) find(p *place) error {
	r.levels = nil
	known := map[string]group{}
	err := r.probe.Walk(func(id, pointer uint64, path string) { known[path] = group{id, pointer} })
	if err != nil {
		return fmt.Errorf("read the cgroup tree: %w", err)
	}
	for _, dir := range p.levels() {
		path, err := filepath.Rel(p.stage.root, dir)
		g, ok := known["/"+path]
		if err != nil || !ok {
			return fmt.Errorf("find the cgroup %s in the kernel's tree: %w", dir, err)
		}
		r.levels = append(r.levels, g)
	}
	return nil
}

func (r *recorder) read() ([]event.Group, error) {
	var out []event.Group
	for _, g := range r.levels {
		read, err := r.probe.ReadGroup(g.id, g.pointer)
		if err != nil {
			return nil, fmt.Errorf("read a cgroup's bandwidth: %w", err)
		}
		out = append(out, read)
	}
	return out, nil
}

// lean hears the container as the observer does: for some time, longer if little is heard.
func (r *recorder) lean(ctx context.Context, d time.Duration) (event.Recording, error) {
	l := cpu.LeanIn{For: d, AtMost: cpu.LeanInLonger * d}
	enough := make(chan struct{})
	over, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(enough)
		for begun := time.Now(); sleep(over, 100*time.Millisecond) == nil; {
			bursts, serving := r.listener.Heard(r.levels[0].id)
			if bursts >= observer.BurstsMax || l.Over(time.Since(begun), serving) {
				return
			}
		}
	}()
	return r.recordUntil(ctx, l.AtMost, enough)
}

// recordUntil hears the container for some time, or until enough is known.
func (r *recorder) recordUntil(ctx context.Context, d time.Duration, enough <-chan struct{}) (event.Recording, error) {
	var out event.Recording
	stolen := steal()
	before, err := r.read()
	if err != nil {
		return out, err
	}
	if err := r.listener.Start(r.levels[0].id); err != nil {
		return out, fmt.Errorf("listen: %w", err)
	}
	var slept error
	select {
	case <-ctx.Done():
		slept = ctx.Err()
	case <-enough:
	case <-time.After(d):
	}
	out, err = r.listener.Stop(r.levels[0].id)
	if err := errors.Join(slept, err); err != nil {
		return out, err
	}
	out.Before, out.Stolen = before, steal()-stolen
	out.After, err = r.read()
	return out, err
}

// steal is what the hypervisor took from all CPUs since the start (proc_stat(5)).
func steal() uint64 {
	raw, _ := os.ReadFile("/proc/stat")
	fields := bytes.Fields(raw[:max(bytes.IndexByte(raw, '\n'), 0)])
	var ticks uint64
	if len(fields) > 8 {
		_, _ = fmt.Sscan(string(fields[8]), &ticks)
	}
	const tick = uint64(10 * time.Millisecond) // USER_HZ
	return ticks * tick
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
