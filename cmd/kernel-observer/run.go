// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
	"github.com/kernel-gossip/kernel-gossip/internal/record"
	"github.com/kernel-gossip/kernel-gossip/internal/sink/text"
	"github.com/kernel-gossip/kernel-gossip/internal/syscalls"
)

func run(ctx context.Context, o *options) error {
	level, err := o.level()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	klog.SetSlogLogger(log) // what the Kubernetes client has to say
	sinks, err := outputSinks(o, log)
	if err != nil {
		return err
	}
	if o.replay != "" {
		return replay(ctx, o, log, sinks)
	}
	return listen(ctx, o, log, sinks)
}

func outputSinks(o *options, log *slog.Logger) ([]observer.Sink, error) {
	if o.output == "none" {
		return nil, nil
	}
	s, err := text.New(os.Stdout, text.Format(o.output), func(err error) {
		log.Error("output failed", "error", err)
	})
	return []observer.Sink{s}, err
}

func engineConfig(o *options, withoutAPI bool, wall func(uint64) time.Time) (observer.Config, error) {
	names, err := syscalls.Names()
	if err != nil {
		return observer.Config{}, err
	}
	c := observer.Config{
		Birth: birth.Config{
			NodeName: o.nodeName, WithoutAPI: withoutAPI, Remarks: !withoutAPI,
			Settle: 300 * time.Millisecond, Quiet: 2 * time.Second, Timeout: o.birthTimeout,
			Wall: wall, SyscallName: names,
		},
		CPU:         cpu.DefaultConfig(),
		DisarmAfter: 5 * time.Second,
	}
	c.CPU.NodeName, c.CPU.Wall, c.CPU.LeanIn = o.nodeName, wall, o.leanIn
	return c, nil
}

func listen(ctx context.Context, o *options, log *slog.Logger, sinks []observer.Sink) error {
	cluster, err := connect(o, log)
	if err != nil {
		return err
	}
	if cluster != nil && o.cluster != "watch" {
		leave, err := sit(ctx, o, log)
		if err != nil {
			return nil // told to end while it stood by
		}
		defer leave()
	}
	return hear(ctx, o, log, cluster, sinks)
}

// hear listens to this node until ctx is done.
func hear(ctx context.Context, o *options, log *slog.Logger, cluster *cluster, sinks []observer.Sink) error {
	limited := limitProcessors()
	kernel, err := openKernel(o, log)
	if err != nil {
		return err
	}
	defer func() {
		if err := kernel.close(); err != nil {
			log.Error("cannot end hearing", "error", err)
		}
	}()
	keeper := newKeeper(o, log)
	in := observer.Inputs{Read: kernel.read, Now: probe.Now, Node: readNode, Cost: keeper}
	ears := newEars(o, kernel, log)
	if ears != nil {
		defer ears.close()
		ears.ChargeTo(keeper)
		if limited {
			ears.ChargeTo(replaying{keeper})
		}
		in.LeanIn, in.Heard = ears.LeanIn, ears.Heard()
	}
	var heard observer.Kernel = kernel
	if cluster != nil {
		in.Pods, in.Open, in.Earlier, in.Ask = cluster.pods, cluster.open, cluster.earlier, cluster.asker.Ask
		if o.cluster != "watch" {
			sinks = append(sinks, cluster.sink)
		}
	}
	if o.record != "" {
		r, err := record.Create(o.record)
		if err != nil {
			return err
		}
		defer func() {
			if err := r.Close(); err != nil {
				log.Error("the recording is incomplete", "error", err)
			}
		}()
		r.WeightsV2, r.Plan = weightsV2(), kernel.Plan()
		heard, in = r.Kernel(kernel), r.Inputs(in)
	}
	config, err := engineConfig(o, cluster == nil, probe.Wall)
	if err != nil {
		return err
	}
	config.WeightsV2, config.Birth.Plan, config.CPU.Plan = weightsV2(), kernel.Plan, kernel.Plan
	engine, err := observer.NewEngine(config, heard, log, sinks...)
	if err != nil {
		return err
	}
	state := &state{cluster: cluster, cost: keeper, examiner: newExaminer(o, kernel.Plan, kernel.Walk, log)}
	in.Stats = state.set
	log.Info("listening", "node", o.nodeName, "cluster", cluster.describe(), "cgroups", engine.Stats().Cgroups)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return observer.Run(ctx, engine, in) })
	group.Go(func() error { return watchCost(ctx, keeper) })
	if ears != nil {
		group.Go(func() error {
			ears.Run(ctx)
			return nil
		})
	}
	if cluster != nil {
		group.Go(func() error { return cluster.run(ctx, o.nodeName, log) })
	}
	if o.listen != "" {
		group.Go(func() error { return serve(ctx, o.listen, state) })
	}
	return group.Wait()
}

func replay(ctx context.Context, o *options, log *slog.Logger, sinks []observer.Sink) error {
	r, err := record.Open(o.replay)
	if err != nil {
		return err
	}
	config, err := engineConfig(o, !r.WithAPI(), r.Wall)
	if err != nil {
		return err
	}
	config.Birth.Remarks, config.WeightsV2 = r.WithRemarks(), r.WeightsV2()
	config.Birth.Plan, config.CPU.Plan = r.Plan(), r.Plan()
	engine, err := observer.NewEngine(config, r, log, sinks...)
	if err != nil {
		return fmt.Errorf("replay %s: %w", o.replay, err)
	}
	return r.Run(ctx, engine)
}
