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
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := v1alpha1.KernelWhisperList{Items: []v1alpha1.KernelWhisper{}} // in a document not null
			err := each(g, cmd, func(page *v1alpha1.KernelWhisperList) {
				if g.whispers.active {
					page.Items = slices.DeleteFunc(page.Items, func(w v1alpha1.KernelWhisper) bool { return w.Spec.EndTime != nil })
				}
				if g.output == formatText {
					view.ForWhispers(page.Items)
				}
				list.Items = append(list.Items, page.Items...)
			})
			if err != nil {
				return err
			}
			if list.Items, err = view.SortedWhispers(list.Items, view.Order(g.whispers.order)); err != nil {
				return err
			}
			return g.write(&list, "KernelWhisperList", func() error {
				switch {
				case len(list.Items) == 0 && g.whispers.active:
					return g.none("active whispers")
				case len(list.Items) == 0:
					return g.none("whispers")
				}
				return view.Whispers(g.Out, list.Items, g.terminal(), g.allNamespaces, g.now())
			})
		},
	}
	cmd.Flags().StringVar(&g.whispers.order, "sort-by", string(view.BySeverity), "severity (what goes on first), stall, throttled or age")
	cmd.Flags().BoolVar(&g.whispers.active, "active", false, "only those that go on")
	g.addAllNamespaces(cmd)
	g.addOutput(cmd, "text, yaml or json")
	g.addColor(cmd)
	return cmd
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
	err := eachOf(ctx, c, namespace, func(page *v1alpha1.KernelWhisperList) { w = lastWhisper(w, page.Items, name) })
	if err != nil {
		return nil, err
	}
	if w == nil {
		return nil, fmt.Errorf("no whisper %q in %s namespace, and none of a pod of that name; kubectl gossip whispers lists what there is", name, namespace)
	}
	return w, nil
}
