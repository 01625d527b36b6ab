// SPDX-License-Identifier: Apache-2.0

// Command memory measures what kernel-observer takes with many pods on its node.
// The pods are real objects of the cluster of KUBECONFIG, bound to a node that
// does not exist, and real cgroups of this machine with limits, in every
// hierarchy, below a cgroup of the command's own; nothing runs in them. The
// observer is the real program on this machine, watches those pods, and is held in
// a cgroup of its own, so that what the kernel keeps for its BPF maps counts too.
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

	"github.com/kernel-gossip/kernel-gossip/hack/bench/groups"
	"github.com/kernel-gossip/kernel-gossip/hack/bench/subject"
)

func main() {
	program := flag.String("observer", "build/bin/kernel-observer", "the observer's program")
	pods := flag.Int("pods", 250, "pods on the node, of two containers each")
	settle := flag.Duration("rest", 20*time.Second, "how long the observer is left alone before it is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *program, *pods, *settle); err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program string, n int, rest time.Duration) (err error) {
	all, err := groups.New("kernel-gossip-bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, all.Remove()) }()
	node, err := newNode(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.remove()) }()

	fmt.Println("| pods | cgroups that the observer knows | resident memory | working set of its cgroup, BPF maps included | CPU at rest |\n|---|---|---|---|---|")
	if err := measure(ctx, program, all, node, 0, rest); err != nil {
		return err
	}
	for i := range n {
		uid, err := node.add(ctx, i)
		if err != nil {
			return err
		}
		if err := all.AddPod(uid); err != nil {
			return err
		}
	}
	return measure(ctx, program, all, node, n, rest)
}

// measure starts the observer, leaves it alone and prints a line.
func measure(ctx context.Context, program string, all *groups.Groups, node *node, pods int, rest time.Duration) (err error) {
	o, err := subject.Observer(ctx, program, all, "--node-name="+node.name, "--cluster=watch")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.End()) }()
	if err := o.Wait(ctx, rest); err != nil {
		return err
	}
	used, err := all.CPU("observer")
	if err != nil {
		return err
	}
	const window = 10 * time.Second
	if err := o.Wait(ctx, window); err != nil {
		return err
	}
	after, err := all.CPU("observer")
	if err != nil {
		return err
	}
	resident, err := o.Resident()
	if err != nil {
		return err
	}
	working, err := all.WorkingSet("observer")
	if err != nil {
		return err
	}
	cgroups, _ := o.Metric("kernel_gossip_observer_cgroups")
	fmt.Printf("| %d | %.0f | %.1f MiB | %.1f MiB | %.1f millicores |\n", pods, cgroups, float64(resident)/(1<<20), float64(working)/(1<<20),
		1000*float64(after-used)/float64(window))
	return nil
}
