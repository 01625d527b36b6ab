// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

func (g *gossip) birthsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "births", Short: "List the births of pods", Args: cobra.NoArgs,
		Example: "  kubectl gossip births -A --sort-by=duration",
		RunE:    g.listBirths,
	}
	cmd.Flags().StringVar(&g.order, "sort-by", string(view.ByAge), "duration, syscalls, wait or age; a document has an order only where this is given")
	g.addAllNamespaces(cmd)
	g.addOutput(cmd, "text, yaml or json")
	g.addColor(cmd)
	return cmd
}

func (g *gossip) listBirths(cmd *cobra.Command, _ []string) error {
	var births []v1alpha1.PodBirthCertificate
	doc := g.document("PodBirthCertificate", cmd.Flags().Changed("sort-by"))
	err := each(g, cmd, func(page *v1alpha1.PodBirthCertificateList) error {
		if err := addAll(doc, page.Items); err != nil || doc.streams() {
			return err
		}
		view.ForBirths(page.Items)
		births = append(births, page.Items...)
		return nil
	})
	if err != nil {
		return err
	}
	if births, err = view.Sorted(births, view.Order(g.order)); err != nil {
		return err
	}
	switch {
	case g.output != formatText:
		return endAll(doc, births)
	case len(births) == 0:
		return g.none("births")
	}
	return view.Births(g.Out, births, g.terminal(), g.allNamespaces, g.now())
}

// sections are what birth shows instead of the whole, or in addition to it.
type sections struct{ timeline, blame, criticalPath bool }

func (g *gossip) birthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "birth POD", Short: "Tell the birth of one pod", Args: cobra.ExactArgs(1),
		Example: `  kubectl gossip birth web-r4chb
  kubectl gossip birth web-r4chb --critical-path
  kubectl gossip birth web-r4chb -o svg > birth.svg
  kubectl gossip birth web-r4chb -o perfetto > birth.json   # open it in ui.perfetto.dev`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var c *v1alpha1.PodBirthCertificate
			err := each(g, cmd, func(page *v1alpha1.PodBirthCertificateList) error {
				c = lastBirth(c, page.Items, args[0])
				return nil
			})
			if err != nil {
				return err
			}
			if c == nil {
				return fmt.Errorf("no birth certificate of pod %q%s: it may be older than the observer, on a node without one, "+
					"or opted out; kubectl gossip births lists what there is", args[0], g.where())
			}
			return g.tellBirth(c)
		},
	}
	cmd.Flags().BoolVar(&g.sections.timeline, "timeline", false, "add the list of events")
	cmd.Flags().BoolVar(&g.sections.blame, "blame", false, "the phases instead, longest first, with what they waited for")
	cmd.Flags().BoolVar(&g.sections.criticalPath, "critical-path", false, "the phases instead that held up the birth, in their order")
	g.addOutput(cmd, "text, yaml, json, svg or perfetto")
	g.addColor(cmd)
	return cmd
}

func (g *gossip) tellBirth(c *v1alpha1.PodBirthCertificate) error {
	switch {
	case g.output == formatSVG:
		return view.SVG(g.Out, c)
	case g.output == formatPerfetto:
		return view.Perfetto(g.Out, c)
	case g.sections.blame:
		return view.Blame(g.Out, c, g.terminal())
	case g.sections.criticalPath:
		return view.CriticalPath(g.Out, c, g.terminal())
	}
	return g.write(c, "PodBirthCertificate", func() error { return view.Birth(g.Out, c, g.terminal(), g.sections.timeline) })
}
