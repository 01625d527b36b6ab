// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const budgetScript = "hack/deploy/budget.sh"

// unbudgeted deploys observers that may cost any CPU time: the tests make more births
// in a minute than a node has in an hour, and then ask for lean-ins.
const unbudgeted = "KG_CPU_BUDGET=0"

// deployUnbudgeted deploys for tests, to the cluster of env. What it returns gives the
// observers the CPU budget back that they had: the cluster may go on running, and be
// somebody's own.
func deployUnbudgeted(ctx context.Context, env []string) (restore func(context.Context) error, err error) {
	if restore, err = remember(ctx, env); err != nil {
		return nil, err
	}
	if err := runIn(ctx, append(env, unbudgeted), "hack/deploy/deploy.sh"); err != nil {
		// Half a deployment may have the tests' budget already.
		return nil, errors.Join(fmt.Errorf("deploy: %w", err), restore(context.WithoutCancel(ctx)))
	}
	return restore, nil
}

// remember keeps the observers' budget, for restore to give back.
func remember(ctx context.Context, env []string) (restore func(context.Context) error, err error) {
	before, err := budgetOf(ctx, env)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if now, err := budgetOf(ctx, env); err != nil || now == before {
			return err
		}
		if err := runIn(ctx, env, budgetScript, before); err != nil {
			return fmt.Errorf("give the observers their CPU budget %q back: %w", before, err)
		}
		return nil
	}, nil
}

// budgetOf is the budget that the cluster gives its observers; empty where it is
// their own default, and where there are none.
func budgetOf(ctx context.Context, env []string) (string, error) {
	command := exec.CommandContext(ctx, budgetScript)
	command.Env, command.Stderr = append(os.Environ(), env...), os.Stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("read the observers' CPU budget: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
