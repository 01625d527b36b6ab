// SPDX-License-Identifier: Apache-2.0

// Command births measures by how much kernel-observer slows the start of pods: it
// starts nginx pods on the cluster of KUBECONFIG in blocks, with the DaemonSet
// running and without it, and compares the time from a pod's creation to Ready as
// a client's watch sees it. On the one-node cluster it also tells whose CPU time a
// birth takes, before Ready and after it. Asked for the floor, it compares both with a
// program that does nothing on the exit of system calls, where the observer listens:
// what any listener like it pays.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// options of a measurement.
type options struct {
	rounds, size int
	floor        bool
	system       string
	raw, from    string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 12, "rounds of four blocks: without, with, with, without (of six with -floor)")
	flag.IntVar(&o.size, "births", 5, "births in a block")
	flag.BoolVar(&o.floor, "floor", false, "measure a program that does nothing on the exit of system calls, too (root, on the observer's node)")
	flag.StringVar(&o.system, "system", "kernel-gossip/system", "cgroup on this machine whose children are the components of the node")
	flag.StringVar(&o.raw, "o", "build/bench-births.json", "file for what was measured of each birth, empty for none")
	flag.StringVar(&o.from, "from", "", "measure nothing, and report what such a file has")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "births:", err)
		os.Exit(1)
	}
}

// birth is what was measured of one.
type birth struct {
	// Took is the time from the creation to Ready seen.
	Took time.Duration `json:"took"`
	// Before is the CPU time of each component from the creation to Ready, After that
	// from Ready until the next birth begins, its own end and a rest included.
	Before usage `json:"before"`
	After  usage `json:"after"`
}

// block is births one after the other, during which one kind listens.
type block struct {
	// On is with the observer, Empty with a program that does nothing instead.
	On     bool    `json:"on"`
	Empty  bool    `json:"emptyExit,omitempty"`
	Births []birth `json:"births"`
}

func (b block) kind() kind {
	switch {
	case b.On:
		return kindOn
	case b.Empty:
		return kindEmpty
	}
	return kindOff
}

func run(ctx context.Context, o *options) error {
	if o.from != "" {
		blocks, err := load(o.from)
		if err != nil {
			return err
		}
		tell(blocks)
		return nil
	}
	blocks, err := measureAll(ctx, o)
	if len(blocks) > 1 { // what an interrupt left is something, too
		tell(blocks)
	}
	return err
}

func tell(blocks []block) {
	var text strings.Builder
	report(&text, blocks)
	fmt.Print(text.String())
}

func load(file string) ([]block, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var blocks []block
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields() // blocks of a kind that is no longer measured are not told as others
	if err := decoder.Decode(&blocks); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return blocks, nil
}

func save(file string, blocks []block) error {
	if file == "" {
		return nil
	}
	raw, err := json.Marshal(blocks)
	if err != nil {
		return err
	}
	return os.WriteFile(file, raw, 0o600)
}

// measureAll measures all blocks. Those that have been measured are returned with an
// error, too.
func measureAll(ctx context.Context, o *options) (blocks []block, err error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read KUBECONFIG: %w", err)
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	observed := &observer{client: c}
	if err := observed.find(ctx); err != nil {
		return nil, err
	}
	l := &listeners{observer: observed}
	if o.floor {
		if err := l.withFloor(ctx); err != nil {
			return nil, err
		}
	}
	defer func() { err = errors.Join(err, l.close(context.WithoutCancel(ctx))) }()
	s, err := newStage(ctx, c, observed.node, o.system)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	kinds := kindsOf(o.rounds, o.floor)
	for i, k := range kinds {
		b, err := measure(ctx, l, s, k, o.size)
		if err != nil {
			return blocks, err
		}
		blocks = append(blocks, b)
		fmt.Fprintf(os.Stderr, "block %d of %d, listens: %s: median %s\n", i+1, len(kinds), k, milliseconds(median(values(b.Births, wall))))
		if err := save(o.raw, blocks); err != nil {
			return blocks, err
		}
	}
	return blocks, nil
}

// measure is one block: the first birth after a change warms up and does not count.
func measure(ctx context.Context, l *listeners, s *stage, k kind, size int) (block, error) {
	changed, err := l.change(ctx, k)
	if err != nil {
		return block{}, err
	}
	pods, err := l.observer.groups(ctx)
	if err != nil {
		return block{}, err
	}
	s.clocks.watch(pods)
	if changed {
		if _, err := s.birth(ctx); err != nil {
			return block{}, err
		}
	}
	b := block{On: k == kindOn, Empty: k == kindEmpty}
	for range size {
		born, err := s.birth(ctx)
		if err != nil {
			return block{}, err
		}
		b.Births = append(b.Births, born)
	}
	return b, nil
}
