// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/spf13/pflag"

	"github.com/kernel-gossip/kernel-gossip/internal/cost"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// budget is the value of --cpu-budget: a share of one core.
type budget float64

var _ pflag.Value = new(budget)

// String implements pflag.Value.
func (b *budget) String() string { return cost.FormatBudget(float64(*b)) }

// Set implements pflag.Value.
func (b *budget) Set(s string) error {
	share, err := cost.ParseBudget(s)
	*b = budget(share)
	return err
}

// Type implements pflag.Value.
func (b *budget) Type() string { return "share" }

// defaultBudget is 1 % of one core.
const defaultBudget = 0.01

func budgetUsage() string {
	return fmt.Sprintf("CPU time that the observer may cost on average, as a share of one core (%q, \"10m\"), 0 for any; births are heard all the same", cost.FormatBudget(defaultBudget))
}

func newKeeper(o *options, log *slog.Logger) *cost.Keeper {
	return cost.NewKeeper(float64(o.budget), cost.ReadProcess, log)
}

// watchCost takes the run times of all BPF programs of this process until ctx is
// done. All are loaded by then: the memory that this took is given back first.
func watchCost(ctx context.Context, k *cost.Keeper) error {
	debug.FreeOSMemory()
	k.Watch(ctx, &probe.Costs{})
	return nil
}
