// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/cost/empty"
)

// kind is what listens during a block.
type kind string

const (
	kindOff   kind = "nobody"
	kindOn    kind = "the observer"
	kindEmpty kind = "an empty program on the exit of system calls"
)

// Each kind is as often the first, and the last, of the blocks that are compared, and
// without is followed by without: what is slow to change on the machine hits all alike.
var (
	orderPlain = []kind{kindOff, kindOn, kindOn, kindOff}
	orderFloor = []kind{
		kindOff, kindOn, kindEmpty, kindEmpty, kindOn, kindOff,
		kindOff, kindEmpty, kindOn, kindOn, kindEmpty, kindOff,
	}
)

// kindsOf are those of all blocks, in their order.
func kindsOf(rounds int, floor bool) []kind {
	order, round := orderPlain, 4
	if floor {
		order, round = orderFloor, 6
	}
	all := make([]kind, 0, round*rounds)
	for i := range round * rounds {
		all = append(all, order[i%len(order)])
	}
	return all
}

// listeners lets one kind listen at a time.
type listeners struct {
	observer *observer
	empty    *empty.Programs // nil where it is not measured
	now      kind
}

// withFloor loads the program that does nothing: on this machine, which has to be the
// observer's node.
func (l *listeners) withFloor(ctx context.Context) error {
	node := &corev1.Node{}
	if err := l.observer.client.Get(ctx, client.ObjectKey{Name: l.observer.node}, node); err != nil {
		return fmt.Errorf("look at the observer's node: %w", err)
	}
	here, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(here)) != node.Status.NodeInfo.BootID {
		return fmt.Errorf("this machine is not %s, where the births are: the floor is measured on the node", node.Name)
	}
	l.empty, err = empty.Load()
	return err
}

// change is true if another kind listens from now on.
func (l *listeners) change(ctx context.Context, to kind) (bool, error) {
	if l.now == to {
		return false, nil
	}
	l.now = "" // not known until it is done
	if l.empty != nil {
		if err := l.empty.Detach(); err != nil {
			return false, err
		}
	}
	if err := l.observer.change(ctx, to == kindOn); err != nil {
		return false, err
	}
	if to == kindEmpty {
		if err := l.empty.OnExit(); err != nil {
			return false, err
		}
	}
	l.now = to
	return true, nil
}

// close leaves the observer running, whatever has happened.
func (l *listeners) close(ctx context.Context) error {
	var err error
	if l.empty != nil {
		err = l.empty.Close()
	}
	return errors.Join(err, l.observer.set(ctx, true))
}
