// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

type whisperFlags struct {
	order  string
	active bool
}

func (g *gossip) whispersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "whispers", Short: "List the episodes in which containers suffered", Args: cobra.NoArgs,
		Example: `  kubectl gossip whispers -A --active
  kubectl gossip whispers --sort-by=stall`,
		RunE: g.listWhispers,
	}
	cmd.Flags().StringVar(&g.whispers.order, "sort-by", string(view.BySeverity), "severity (what goes on first), stall, throttled or age; a document has an order only where this is given")
	cmd.Flags().BoolVar(&g.whispers.active, "active", false, "only those that go on")
	g.addAllNamespaces(cmd)
	g.addOutput(cmd, "text, yaml or json")
	g.addColor(cmd)
	return cmd
}

func (g *gossip) listWhispers(cmd *cobra.Command, _ []string) error {
	var whispers []v1alpha1.KernelWhisper
	doc := g.document("KernelWhisper", cmd.Flags().Changed("sort-by"))
	err := each(g, cmd, func(page *v1alpha1.KernelWhisperList) error {
		if g.whispers.active {
			page.Items = slices.DeleteFunc(page.Items, func(w v1alpha1.KernelWhisper) bool { return w.Spec.EndTime != nil })
		}
		if err := addAll(doc, page.Items); err != nil || doc.streams() {
			return err
		}
		view.ForWhispers(page.Items)
		whispers = append(whispers, page.Items...)
		return nil
	})
	if err != nil {
		return err
	}
	if whispers, err = view.SortedWhispers(whispers, view.Order(g.whispers.order)); err != nil {
		return err
	}
	switch {
	case g.output != formatText:
		return endAll(doc, whispers)
	case len(whispers) == 0 && g.whispers.active:
		return g.none("active whispers")
	case len(whispers) == 0:
		return g.none("whispers")
	}
	return view.Whispers(g.Out, whispers, g.terminal(), g.allNamespaces, g.now())
}

func (g *gossip) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "explain WHISPER|POD", Short: "Explain one episode: the kernel's truth beside the metric's claim", Args: cobra.ExactArgs(1),
		Example: `  kubectl gossip explain web-r4chb`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, namespace, err := g.client(cmd)
			if err != nil {
				return err
			}
			w, err := findWhisper(cmd.Context(), c, namespace, args[0])
			if err != nil {
				return err
			}
			return g.write(w, "KernelWhisper", func() error { return view.Whisper(g.Out, w, g.terminal()) })
		},
	}
	g.addOutput(cmd, "text, yaml or json")
	g.addColor(cmd)
	return cmd
}

// findWhisper is the whisper of that name, or the latest of a pod of that name.
func findWhisper(ctx context.Context, c client.Reader, namespace, name string) (*v1alpha1.KernelWhisper, error) {
	var w *v1alpha1.KernelWhisper
	err := eachOf(ctx, c, namespace, func(page *v1alpha1.KernelWhisperList) error {
		w = lastWhisper(w, page.Items, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if w == nil {
		return nil, fmt.Errorf("no whisper %q in %s namespace, and none of a pod of that name; kubectl gossip whispers lists what there is", name, namespace)
	}
	return w, nil
}
