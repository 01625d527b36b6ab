// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"time"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/cost/empty"
	"github.com/kernel-gossip/kernel-gossip/hack/bench/subject"
)

// bystander is what one system call (getppid) of a process of no birth takes, in ns.
type bystander struct {
	Nothing spread `json:"nothing"`   // nobody listens
	Empty   spread `json:"emptyExit"` // a program that does nothing on the exit
	Armed   spread `json:"armed"`     // the observer during a birth
	// Slow is the kernel's own slow path, empty less nothing; Ours is armed less
	// empty; After is what is left once the observer has disarmed, less nothing.
	// Results of when the empty programs were on the entry as well have other names.
	Slow  spread `json:"slowOfExit"`
	Ours  spread `json:"oursBeyondExit"`
	After spread `json:"after"`
}

// syscall is one, in CPU time: others on the machine do not count.
func (b *bench) syscall() (float64, error) {
	n := b.work.amounts[workloads[0]]
	m, err := b.work.do(workloads[0], n)
	return m.cpu / float64(n), err
}

// times that each is measured before the other's turn.
const inARow = 3

func measureBystander(ctx context.Context, b *bench) (any, error) {
	e, err := empty.Load()
	if err != nil {
		return nil, err
	}
	defer func() { _ = e.Close() }()
	take := func(into *[]float64) error {
		for range inARow {
			ns, err := b.syscall()
			if err != nil {
				return err
			}
			*into = append(*into, ns)
		}
		return nil
	}
	var nothing, none, armed, after, before []float64
	for pair := range b.scale.pairs {
		b.progress("pair %d of %d", pair+1, b.scale.pairs)
		err := inTurn(pair, func() error {
			return errors.Join(take(&nothing), e.OnExit(), take(&none), e.Detach())
		}, func() error {
			return b.whileObserved(ctx, func(s *subject.Subject) error {
				return errors.Join(b.arm(ctx, s), take(&armed))
			})
		})
		if err != nil {
			return nil, err
		}
	}
	for round := range max(2, b.scale.pairs/6) {
		b.progress("once disarmed, round %d", round+1)
		var onceDisarmed []float64
		var inTime bool
		err := inTurn(round, func() error { return take(&before) }, func() error {
			return b.whileObserved(ctx, func(s *subject.Subject) (err error) {
				if err := errors.Join(b.arm(ctx, s), b.clearPods()); err != nil {
					return err
				}
				if inTime, err = b.disarmed(ctx, s); err != nil {
					return err
				}
				return take(&onceDisarmed)
			})
		})
		if err != nil {
			return nil, err
		}
		if !inTime {
			b.progress("the observer stays armed: births of others are under way on this machine")
			before = before[:len(after)]
			continue
		}
		after = append(after, onceDisarmed...)
	}
	return bystander{
		Nothing: spreadOf(nothing), Empty: spreadOf(none), Armed: spreadOf(armed),
		Slow: spreadOf(differences(none, nothing)), Ours: spreadOf(differences(armed, none)),
		After: spreadOf(differences(after, before)),
	}, b.clearPods()
}

// whileObserved does something while the observer runs.
func (b *bench) whileObserved(ctx context.Context, do func(*subject.Subject) error) error {
	s, err := b.observe(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(s), end(s))
}

// disarmed waits until the observer no longer hears system calls: five seconds after
// the last pod's cgroup was removed. False if it does not cease to.
func (b *bench) disarmed(ctx context.Context, s *subject.Subject) (bool, error) {
	for deadline := time.Now().Add(30 * time.Second); armed(s); {
		if time.Now().After(deadline) {
			return false, nil
		}
		if err := s.Wait(ctx, 50*time.Millisecond); err != nil {
			return false, err
		}
	}
	return true, nil
}
