// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeKubectl is a cluster of one DaemonSet, whose budget is in a file.
const fakeKubectl = `#!/usr/bin/env bash
all=$*
case $all in
  *"get daemonset"*) cat "$STATE" ;;
  *"set env"*CPU_BUDGET-) : >"$STATE" ;;
  *"set env"*CPU_BUDGET=*) printf %s "${all##*CPU_BUDGET=}" >"$STATE" ;;
  *) ;;
esac
`

// TestBudgetIsGivenBack sets what the tests need and then what there was, as a stage does.
func TestBudgetIsGivenBack(t *testing.T) {
	t.Chdir("../..")
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte(fakeKubectl), 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("STATE", state)
	t.Setenv("KUBECONFIG", filepath.Join(dir, "config"))
	t.Setenv("KG_NODE_HOME", dir) // no one-node cluster runs there
	for _, before := range []string{"", "0.5%"} {
		if err := os.WriteFile(state, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		_, budget, _ := strings.Cut(unbudgeted, "=")
		restore, err := remember(t.Context(), nil)
		if err == nil {
			err = runIn(t.Context(), nil, budgetScript, budget)
		}
		if now, _ := os.ReadFile(state); err != nil || string(now) != budget {
			t.Fatalf("%v: %q", err, now)
		}
		if err := restore(t.Context()); err != nil {
			t.Error(err)
		}
		if now, _ := os.ReadFile(state); string(now) != before {
			t.Errorf("budget %q after one of %q", now, before)
		}
	}
}
