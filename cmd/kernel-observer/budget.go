// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/spf13/pflag"

	"github.com/kernel-gossip/kernel-gossip/internal/cost"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// budget is the value of --cpu-budget.
type budget struct {
	share float64 // of one core
	fault error   // of $CPU_BUDGET, unless the flag is given
}

const (
	// defaultBudget is 1 % of one core.
	defaultBudget = 0.01
	budgetEnv     = "CPU_BUDGET"
)

// String implements pflag.Value.
func (b *budget) String() string { return cost.FormatBudget(b.share) }

// Set implements pflag.Value.
func (b *budget) Set(s string) (err error) {
	b.fault = nil
	b.share, err = cost.ParseBudget(s)
	return err
}

// Type implements pflag.Value.
func (b *budget) Type() string { return "share" }

// addBudgetFlag adds --cpu-budget. A pod's environment can be changed where its
// arguments are a manifest's.
func addBudgetFlag(f *pflag.FlagSet, o *options) {
	o.budget.share = defaultBudget
	if s := os.Getenv(budgetEnv); s != "" {
		if err := o.budget.Set(s); err != nil {
			o.budget.fault = fmt.Errorf("$%s: %w", budgetEnv, err)
		}
	}
	f.Var(&o.budget, "cpu-budget", `CPU time that the observer may cost on average, as a share of one core ("1%", "10m"), 0 for any; $CPU_BUDGET sets it as well; births are heard all the same`)
}

func newKeeper(o *options, log *slog.Logger) *cost.Keeper {
	return cost.NewKeeper(o.budget.share, cost.ReadProcess, log)
}

// watchCost takes the run times of all BPF programs of this process until ctx is
// done. All are loaded by then: the memory that this took is given back first.
func watchCost(ctx context.Context, k *cost.Keeper) error {
	debug.FreeOSMemory()
	k.Watch(ctx, &probe.Costs{})
	return nil
}
