// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
	"github.com/kernel-gossip/kernel-gossip/internal/syscalls"
)

// ears are an observer inside the demo: the same engine that runs on a node.
// The demo tells it of pods as the API server would.
type ears struct {
	kernel       *probe.Probe
	pods         chan observer.PodUpdate
	certificates chan *v1alpha1.PodBirthCertificate
	whispers     chan *v1alpha1.KernelWhisper
	stop         context.CancelFunc
	done         chan error
}

// Certificate implements observer.Sink.
func (e *ears) Certificate(c *v1alpha1.PodBirthCertificate) { e.certificates <- c }

// Whisper implements observer.Sink.
func (e *ears) Whisper(w *v1alpha1.KernelWhisper) { e.whispers <- w }

func startListening(ctx context.Context, runtime string) (*ears, error) {
	names, err := syscalls.Names()
	if err != nil {
		return nil, err
	}
	kernel, err := probe.Load(probe.Options{Runtimes: []string{runtime}})
	if err != nil {
		return nil, err
	}
	e := &ears{
		kernel: kernel, done: make(chan error, 1),
		pods:         make(chan observer.PodUpdate, 8),
		certificates: make(chan *v1alpha1.PodBirthCertificate, 64),
		whispers:     make(chan *v1alpha1.KernelWhisper, 64),
	}
	host, _ := os.Hostname()
	wall := func(t uint64) time.Time {
		return time.Now().Add(time.Duration(int64(t) - int64(probe.Now())))
	}
	config := observer.Config{
		Birth: birth.Config{
			NodeName: host, Wall: wall, SyscallName: names,
			Settle: 300 * time.Millisecond, Timeout: limit,
		},
		CPU: cpu.DefaultConfig(), DisarmAfter: time.Second,
	}
	config.CPU.NodeName, config.CPU.Wall = host, wall
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	engine, err := observer.NewEngine(config, kernel, log, e)
	if err != nil {
		return nil, errors.Join(err, kernel.Close())
	}
	// On a node the API server tells of a pod well before its first process; here
	// the two follow at once, so that system calls must be heard from the start.
	if _, err := kernel.Arm(); err != nil {
		return nil, errors.Join(err, kernel.Close())
	}
	ctx, e.stop = context.WithCancel(ctx)
	go func() {
		e.done <- observer.Run(ctx, engine, observer.Inputs{
			Read: kernel.Read, Pods: e.pods, Now: probe.Now, Stats: func(observer.Stats) {},
		})
	}()
	return e, nil
}

func (e *ears) close() error {
	e.stop()
	err := <-e.done
	if closed := e.kernel.Close(); err == nil {
		err = closed
	}
	return err
}

// tell says how a pod is, as the API server would.
func (e *ears) tell(p *pod, phase string, ready bool) {
	told := birth.Pod{
		UID: p.uid, Namespace: "demo", Name: p.name, Phase: phase, Ready: ready,
		Containers: []birth.Container{{Name: "app"}},
	}
	if phase == "Running" {
		told.Containers[0].ID, told.Containers[0].Running = p.containerID, true
		told.Containers[0].Runtime = runtimeName
	}
	e.pods <- observer.PodUpdate{Pod: told}
}

// heard waits for something from the ears.
func heard[T any](ctx context.Context, from <-chan T, what string) (T, error) {
	select {
	case t := <-from:
		return t, nil
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("no %s was heard in time", what)
	}
}
