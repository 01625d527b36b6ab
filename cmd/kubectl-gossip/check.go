// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// The formats of --output.
const (
	formatText     = "text"
	formatWide     = "wide"
	formatYAML     = "yaml"
	formatJSON     = "json"
	formatSVG      = "svg"
	formatPerfetto = "perfetto"
)

// The values of --color.
const (
	colorAuto   = "auto"
	colorAlways = "always"
	colorNever  = "never"
)

// check refuses values that no command could mean, before a cluster is asked.
func (g *gossip) check(cmd *cobra.Command) error {
	formats := []string{formatText, formatYAML, formatJSON}
	switch cmd.Name() {
	case "birth":
		formats = append(formats, formatSVG, formatPerfetto)
	case "doctor":
		formats = append(formats, formatWide)
	}
	order, orders := &g.order, []string{string(view.ByDuration), string(view.BySyscalls), string(view.ByWait), string(view.ByAge)}
	if cmd.Name() == "whispers" {
		order, orders = &g.whispers.order, []string{string(view.BySeverity), string(view.ByStall), string(view.ByThrottled), string(view.ByAge)}
	}
	for _, flag := range []struct {
		name, value string
		allowed     []string
	}{
		{"output", g.output, formats},
		{"sort-by", *order, orders},
		{"dry-run", g.apply.dryRun, []string{dryRunNone, dryRunServer}},
		{"color", g.color, []string{colorAuto, colorAlways, colorNever}},
	} {
		if cmd.Flags().Lookup(flag.name) != nil && !slices.Contains(flag.allowed, flag.value) {
			return fmt.Errorf("--%s=%s: use %s", flag.name, flag.value, alternatives(flag.allowed))
		}
	}
	if cmd.Name() == "apply" {
		return g.checkApply()
	}
	return g.checkSections()
}

// checkSections refuses sections that exclude each other, or that a document
// for machines does not have: it is always the whole.
func (g *gossip) checkSections() error {
	var chosen []string
	for _, s := range []struct {
		flag string
		on   bool
	}{{"--timeline", g.sections.timeline}, {"--blame", g.sections.blame}, {"--critical-path", g.sections.criticalPath}} {
		if s.on {
			chosen = append(chosen, s.flag)
		}
	}
	switch {
	case len(chosen) > 1:
		return fmt.Errorf("%s: use one of them", strings.Join(chosen, " and "))
	case len(chosen) == 1 && g.output != formatText:
		return fmt.Errorf("%s is for text and does not go with --output=%s, which is always the whole birth", chosen[0], g.output)
	}
	return nil
}

func alternatives(all []string) string {
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " or " + all[last]
}
