// SPDX-License-Identifier: Apache-2.0

// Command objects measures what many certificates cost: a real one under many names, in
// an etcd and an API server of the command's own; the real operator, which judges, keeps
// and deletes them; and kubectl gossip, which lists them. The first thousands are written
// as an observer does, and judged; the rest are copies of what etcd has of one of these.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	objects, written, namespaces int
	manifests, programs          string
}

func main() {
	o := options{}
	flag.IntVar(&o.objects, "objects", 50_000, "certificates")
	flag.IntVar(&o.written, "written", 2_000, "of these written through the API server, and judged")
	flag.IntVar(&o.namespaces, "namespaces", 23, "namespaces that they are in; above 2,000 in each the operator deletes by number")
	flag.StringVar(&o.manifests, "manifests", "k8s", "directory of the manifests")
	flag.StringVar(&o.programs, "programs", "build/bin", "directory of operator and kubectl-gossip")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "objects:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	p, err := newPlane(o.manifests)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	fmt.Printf("| %d certificates in %d namespaces | |\n|---|---|\n", o.objects, o.namespaces)
	for _, step := range []func(context.Context, *plane, options) error{fill, judge, multiply, restart, list, sweep} {
		if err := step(ctx, p, o); err != nil {
			return err
		}
	}
	return nil
}

// row of the table.
func row(what, format string, args ...any) {
	fmt.Printf("| %s | %s |\n", what, fmt.Sprintf(format, args...))
}

// fill writes the certificates and tells what they take.
func fill(ctx context.Context, p *plane, o options) error {
	before, err := p.stored(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := write(ctx, p.config, o.written, o.namespaces); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := p.stored(ctx)
	if err != nil {
		return err
	}
	row(fmt.Sprintf("%d written by server-side apply, 8 at a time", o.written), "%.0f s, %.0f a second", took.Seconds(), float64(o.written)/took.Seconds())
	row("in etcd, each, as the observer wrote it (compacted and defragmented)", "%.1f KiB", float64(after-before)/float64(o.written)/1024)
	return nil
}

// judge starts the operator, which has all verdicts before it.
func judge(ctx context.Context, p *plane, o options) error {
	s, err := p.operator(o)
	if err != nil {
		return err
	}
	defer s.end()
	if err := s.until(ctx, func() bool { return s.metric("kernel_gossip_operator_verdicts_total") >= float64(o.written) }); err != nil {
		return fmt.Errorf("verdicts: %w", err)
	}
	took := s.age()
	row("read and judged by the operator", "%.0f s, %.0f a second; CPU %.1f ms each", took.Seconds(), float64(o.written)/took.Seconds(), s.cpu()*1000/float64(o.written))
	return nil
}

// multiply fills up with copies.
func multiply(ctx context.Context, p *plane, o options) error {
	began := time.Now()
	size, err := p.copies(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "copied within %.0f s\n", time.Since(began).Seconds())
	row("an object with its verdict, as etcd has it", "%.1f KiB", float64(size)/1024)
	stored, err := p.stored(ctx)
	if err != nil {
		return err
	}
	row("etcd, all of them (compacted and defragmented)", "%.0f MiB", float64(stored)/(1<<20))
	return nil
}

// restart tells what an operator needs that has nothing to do.
func restart(ctx context.Context, p *plane, o options) error {
	s, err := p.operator(o, "--certificate-age=1000h", "--max-per-namespace=1000000") // nothing is deleted yet
	if err != nil {
		return err
	}
	defer s.end()
	if err := s.until(ctx, func() bool { return s.ready > 0 && s.idle() }); err != nil {
		return fmt.Errorf("rest: %w", err)
	}
	row("operator, restarted: all read", "%.1f s; CPU until it rests %.1f s", s.ready.Seconds(), s.cpu())
	row("its memory", "resident %.0f MiB at most, %.0f MiB at rest; Go's heap %.0f MiB in use", s.peak(), s.resident(), s.metric("go_memstats_heap_inuse_bytes")/(1<<20))
	row("API server and etcd", "resident %.0f MiB and %.0f MiB", residentOf("kube-apiserver"), residentOf("etcd"))
	return nil
}

// list measures the client.
func list(ctx context.Context, p *plane, o options) error {
	for _, args := range [][]string{{"births", "-A"}, {"births", "-n", name(0)}, {"births", "-A", "-o", "json"}, {"birth", podOf(0), "-n", name(0)}} {
		took, state, err := p.gossip(ctx, o, args)
		if err != nil {
			return err
		}
		usage, ok := state.SysUsage().(*syscall.Rusage)
		if !ok {
			return errors.New("this system does not tell of a process that has ended")
		}
		row(fmt.Sprintf("`kubectl gossip %s`", join(args)), "%.1f s; CPU %.1f s; resident %.0f MiB at most",
			took.Seconds(), (state.UserTime() + state.SystemTime()).Seconds(), float64(usage.Maxrss)/1024)
	}
	return nil
}

// sweep lets the operator delete, by the retention that it has of itself: a copy in 50 is
// too old, and then there are too many in each namespace.
func sweep(ctx context.Context, p *plane, o options) error {
	before, err := count(ctx, p.config)
	if err != nil {
		return err
	}
	left := expected(o)
	s, err := p.operator(o)
	if err != nil {
		return err
	}
	defer s.end()
	if err := s.until(ctx, func() bool { return s.metric("kernel_gossip_operator_deletions_total") >= float64(before-left) }); err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	took := s.age() - s.ready
	now, err := count(ctx, p.config)
	if err != nil {
		return err
	}
	if now != left {
		return fmt.Errorf("%d are left after a sweep, and %d should be", now, left)
	}
	row(fmt.Sprintf("retention by its defaults: %d of %d deleted, for their age or their number", before-now, before),
		"%.0f s, %.0f a second; exactly %d left", took.Seconds(), float64(before-now)/took.Seconds(), now)
	return nil
}
