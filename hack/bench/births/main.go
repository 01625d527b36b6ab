// SPDX-License-Identifier: Apache-2.0

// Command births measures by how much kernel-observer slows the start of pods: it
// starts nginx pods on the cluster of KUBECONFIG in blocks, with the DaemonSet
// running and without it, and compares the time from a pod's creation to Ready as
// a client's watch sees it and, on the one-node cluster, the CPU time that
// containerd and all that it starts take for it.
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

	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func main() {
	blocks := flag.Int("blocks", 6, "blocks with the observer, and as many without")
	size := flag.Int("births", 5, "births in a block")
	cgroup := flag.String("cgroup", "kernel-gossip/system/containerd", "cgroup of the container runtime on this machine")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *blocks, *size, *cgroup); err != nil {
		fmt.Fprintln(os.Stderr, "births:", err)
		os.Exit(1)
	}
}

// birth is what was measured of one.
type birth struct {
	took time.Duration // from the creation to Ready seen
	cpu  time.Duration // of the container runtime; 0 where it cannot be read
}

func run(ctx context.Context, blocks, size int, cgroup string) (err error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return fmt.Errorf("read KUBECONFIG: %w", err)
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	o := &observer{client: c}
	if err := o.find(ctx); err != nil {
		return err
	}
	// Whatever happens, the observer runs at the end, also after an interrupt.
	defer func() { err = errors.Join(err, o.set(context.WithoutCancel(ctx), true)) }()
	s, err := newStage(ctx, c, o.node, cgroup)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	measured := map[bool][][]birth{}
	for i := range 2 * blocks {
		on := i%4 == 0 || i%4 == 3 // neither is always the second
		block, err := measure(ctx, o, s, on, size)
		if err != nil {
			return err
		}
		measured[on] = append(measured[on], block)
		fmt.Fprintf(os.Stderr, "block %d of %d, observer %s: median %s\n", i+1, 2*blocks, map[bool]string{true: "on", false: "off"}[on], medianOf(block, wall))
	}
	report(measured[true], measured[false])
	return nil
}

// measure is one block: the first birth after the change warms up and does not count.
func measure(ctx context.Context, o *observer, s *stage, on bool, size int) ([]birth, error) {
	if err := o.set(ctx, on); err != nil {
		return nil, err
	}
	var block []birth
	for i := range size + 1 {
		b, err := s.birth(ctx)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			block = append(block, b)
		}
	}
	return block, nil
}
