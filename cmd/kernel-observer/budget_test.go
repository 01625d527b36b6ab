// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
)

func TestBudget(t *testing.T) {
	for name, tt := range map[string]struct {
		env   string
		args  []string
		share float64
		fails bool
	}{
		"default":              {"", nil, 0.01, false},
		"flag":                 {"", []string{"--cpu-budget=0.5%"}, 0.005, false},
		"none":                 {"", []string{"--cpu-budget=0"}, 0, false},
		"environment":          {"20m", nil, 0.02, false},
		"flag first":           {"20m", []string{"--cpu-budget=30m"}, 0.03, false},
		"no share":             {"", []string{"--cpu-budget=1"}, 0, true},
		"environment, no unit": {"1", nil, 0, true},
		"flag mends it":        {"1", []string{"--cpu-budget=1%"}, 0.01, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(budgetEnv, tt.env)
			var o options
			cmd := newCommand(&o)
			err := cmd.ParseFlags(tt.args)
			if err == nil {
				err = o.check()
			}
			if (err != nil) != tt.fails || err == nil && o.budget.share != tt.share {
				t.Errorf("%v, %v", o.budget.share, err)
			}
		})
	}
}
